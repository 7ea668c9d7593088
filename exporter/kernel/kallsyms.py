"""Addresses of the kernel's functions, from /proc/kallsyms, which shows them to root and with CAP_SYSLOG."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_SYMBOLS = Path("/proc/kallsyms")
_ADDRESS = re.compile(rb"\n([0-9a-f]+) ")


class HiddenAddressesError(LookupError):
    """The kernel hides the addresses from this process."""

    def __str__(self) -> str:
        return f"{_SYMBOLS} shows no addresses"


@cache
def _symbols() -> bytes:
    return b"\n" + _SYMBOLS.read_bytes()


def variable_address(name: str) -> int:
    """Address of a variable of the kernel itself.

    Raises :class:`LookupError` when the kernel does not list it (without CONFIG_KALLSYMS_ALL it lists no variables),
    and :class:`HiddenAddressesError` when the addresses are hidden.
    """
    return _address(name, b"bBdD")


def function_address(name: str) -> int:
    """Address of a function of the kernel itself. Raises the same errors as :func:`variable_address`."""
    return _address(name, b"tT")


def _address(name: str, types: bytes) -> int:
    symbols, ending = _symbols(), b" %b\n" % name.encode()
    end = symbols.find(ending)
    while end >= 0:
        address, symbol_type = symbols[symbols.rindex(b"\n", 0, end) + 1 : end].split()
        if symbol_type in types and not int(address, 16):
            raise HiddenAddressesError
        if symbol_type in types:
            return int(address, 16)
        end = symbols.find(ending, end + 1)
    raise LookupError(f"{_SYMBOLS} does not list {name}")


@cache  # there are two searches: for whether there is any, and for the addresses
def function_ranges(functions: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """First address and end of the kernel's own functions with these names, in order.

    Raises :class:`HiddenAddressesError` when the addresses are hidden.
    """
    return tuple(joined(ranges(_symbols(), functions)))


@cache
def matching_ranges(pattern: str) -> tuple[tuple[int, int], ...]:
    """The same for functions whose names match a pattern, those of loaded modules among them."""
    return tuple(joined(ranges_in_modules(_symbols(), pattern)))


def ranges_in_modules(symbols: bytes, pattern: str) -> Iterator[tuple[int, int]]:
    """First address and end of each function in ``symbols`` that matches. Those of a module are in no order."""
    names = re.compile(rb" [tTwW] %b(?:\.\S+)?(\t\S+)?(?=\n)" % pattern.encode())
    modules: dict[bytes, list[int]] = {}
    for found in names.finditer(symbols):
        start, module = _address_before(symbols, found.start()), found[1]
        if not module:
            yield start, _next_address(symbols, found.end(), start)
            continue
        if module not in modules:
            modules[module] = _addresses(symbols, module + b"\n")
        after = bisect_right(modules[module], start)
        if after < len(modules[module]):  # where the last of a module ends is not known
            yield start, modules[module][after]


def _addresses(symbols: bytes, ending: bytes) -> list[int]:
    """All addresses of a module, whose lines have this ending and follow each other, in order."""
    lines = symbols[symbols.rindex(b"\n", 0, symbols.index(ending)) : symbols.rindex(ending)]
    return sorted(int(address, 16) for address in _ADDRESS.findall(lines))


def _address_before(symbols: bytes, end: int) -> int:
    """Return the address at the start of the line. A pattern of the whole line takes four times as long."""
    address = int(symbols[symbols.rindex(b"\n", 0, end) + 1 : end], 16)
    if not address:
        raise HiddenAddressesError
    return address


def _next_address(symbols: bytes, position: int, start: int) -> int:
    behind = (int(line[1], 16) for line in _ADDRESS.finditer(symbols, position))
    return next(address for address in behind if address > start)


def ranges(symbols: bytes, functions: Iterable[str]) -> Iterator[tuple[int, int]]:
    """First address and end of each function with one of these names, and of its parts, in ``symbols``.

    Compilers name a part by a suffix (``.isra.0``, ``.cold``). Functions of modules are left out.
    """
    names = "|".join(map(re.escape, functions)).encode()
    for found in re.finditer(rb" [tTwW] (?:%b)(?:\.\S+)?(?=\n)" % names, symbols):
        start = _address_before(symbols, found.start())
        yield start, _next_address(symbols, found.end(), start)


def joined(pieces: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same ranges in order, those that touch as one."""
    begin = end = -1
    for start, stop in sorted(pieces):
        if start > end:
            if end > 0:
                yield begin, end
            begin = start
        end = max(end, stop)
    if end > 0:
        yield begin, end
