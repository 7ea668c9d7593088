"""Where the kernel's functions are, from /proc/kallsyms: shown to root, and to who has CAP_SYSLOG."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exporter.kernel.btf import Btf

_SYMBOLS = Path("/proc/kallsyms")
_ADDRESS = re.compile(rb"\n([0-9a-f]+) ")


class HiddenAddressesError(LookupError):
    """The kernel shows no addresses to us."""

    def __str__(self) -> str:
        return f"{_SYMBOLS} shows no addresses"


@dataclass(frozen=True)
class Ranges:
    """``name``: where those of ``functions`` are that this kernel has, each as ``WITHIN(start, end)``."""

    name: str
    functions: tuple[str, ...]

    def define(self, btf: Btf) -> tuple[str, str]:  # noqa: ARG002  # a Fact; this one is not in BTF
        """A kernel constant; :class:`LookupError` also when the kernel has none of them."""
        found = _find(self.functions)
        if not found:
            raise LookupError(f"{_SYMBOLS} has none of the functions that {self.name} knows")
        return self.name, " ".join(f"WITHIN({start:#x}, {end:#x})" for start, end in found)


@cache  # asked whether they are there, and then where: a tenth of a second each time
def _find(functions: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(joined(ranges(b"\n" + _SYMBOLS.read_bytes(), functions)))


def ranges(symbols: bytes, functions: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Of the kernel's own functions with these names: first address, and that of what comes behind.

    Their pieces count too, which compilers name with a suffix (``.isra.0``, ``.cold``). Not those of modules.
    """
    # Each line is found by the end of the one before: half the time of the regular expression's own line starts.
    names = "|".join(map(re.escape, functions)).encode()
    for found in re.finditer(rb"\n([0-9a-f]+) [tTwW] (?:%b)(?:\.\S+)?(?=\n)" % names, symbols):
        start = int(found[1], 16)
        if not start:
            raise HiddenAddressesError
        behind = (int(line[1], 16) for line in _ADDRESS.finditer(symbols, found.end()))
        yield start, next(address for address in behind if address > start)


def joined(pieces: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """In order, and those that touch as one."""
    begin = end = -1
    for start, stop in sorted(pieces):
        if start > end:
            if end > 0:
                yield begin, end
            begin = start
        end = max(end, stop)
    if end > 0:
        yield begin, end
