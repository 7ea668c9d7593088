"""Instructions per system call: counted in a virtual machine, as a table, and against budgets."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import markdown
from bench.instructions import EMPTY, OPERATIONS
from bench.variants import NOTHING

from .archive import KERNEL_CACHE
from .fetch import fetch_kernel
from .runner import in_vm
from .targets import Kernel
from .virtual_machine import INSTRUCTIONS, run_in_vm

DEADLINE_SECONDS = 1200.0
BUDGETS = Path(__file__).with_name("instruction_budgets.json")
COMMAND = 'make instructions ARGS="--accept"'
TOLERANCE_INSTRUCTIONS = 3
TOLERANCE_SHARE = 0.01
"""A budget may be exceeded by the larger of both. Medians of two boots differ by less, except those of sends."""
SENDS = ("send_tcp", "sendfile")
SEND_NOISE = 10
"""The same send has up to 8 instructions more or less, depending on the state of the TCP connection."""
SEND_NOISE_BY_SERIES = {"6.1.": 160}
"""On 6.1 a send frees its buffers by SLUB's slow path for some time: all sends then have 148 instructions more."""
_BEGIN = "<!-- begin: make instructions -->"
_END = "<!-- end: make instructions -->"

Differences = dict[str, dict[str, int]]
"""Instructions per call more than with the empty program, by variant and operation."""


@dataclass(frozen=True)
class Counts:
    """What was counted in one boot."""

    release: str
    """Release of the kernel, as ``uname -r`` prints it."""
    calls: Mapping[str, Mapping[str, float]]
    """Instructions per call, by variant and operation."""

    def added(self, variant: str, operation: str, base: str = NOTHING.name) -> int:
        """How many instructions a call has more than with ``base``."""
        return round(self.calls[variant][operation] - self.calls[base][operation])

    def differences(self) -> Differences:
        """What the budgets limit: all variants against the empty program."""
        probes = [variant for variant in self.calls if variant not in (NOTHING.name, EMPTY)]
        return {
            variant: {operation: self.added(variant, operation, EMPTY) for operation in OPERATIONS}
            for variant in probes
        }


def count(kernel: Kernel, shared: Path) -> Counts:
    """Boot a kernel and count; ``shared`` keeps the console and the result."""
    installed = fetch_kernel(kernel, KERNEL_CACHE)
    result = shared / "calls.json"
    command = [*in_vm(shared), sys.executable, "-m", "bench.instructions", result]
    status = run_in_vm(installed, command, shared, DEADLINE_SECONDS, mode=INSTRUCTIONS)
    if status:
        raise RuntimeError(f"bench.instructions exited with status {status}; see {shared / 'console'}")
    return Counts(**json.loads(result.read_text()))


def problems(counts: Counts, budget: Differences) -> Iterator[str]:
    """Where what was counted exceeds the budget of its release, and what only one of the two has."""
    measured = counts.differences()
    for variant in sorted(budget.keys() | measured.keys()):
        if variant not in budget:
            yield f"{variant} has no budget"
        elif variant not in measured:
            yield f"{variant} has a budget but was not attached"
        else:
            for operation, limit in budget[variant].items():
                number = measured[variant][operation]
                if number > limit + tolerance(counts.release, operation, limit):
                    yield f"{variant}: {OPERATIONS[operation]}: {number:+,} instructions, the budget is {limit:+,}"


def tolerance(release: str, operation: str, budget: int) -> float:
    """How many instructions above the budget are accepted."""
    exact = max(TOLERANCE_INSTRUCTIONS, TOLERANCE_SHARE * abs(budget))
    if operation not in SENDS:
        return exact
    series = (noise for prefix, noise in SEND_NOISE_BY_SERIES.items() if release.startswith(prefix))
    return max(exact, next(series, SEND_NOISE))


def read_budgets() -> dict[str, Differences]:
    """The budgets by release."""
    budgets: dict[str, Differences] = json.loads(BUDGETS.read_text()) if BUDGETS.exists() else {}
    return budgets


def accept(counts: Counts) -> None:
    """Write what was counted as the budget of its release."""
    budgets = read_budgets() | {counts.release: counts.differences()}
    BUDGETS.write_text(json.dumps(budgets, indent=1, sort_keys=True) + "\n")


def table(counts: Counts) -> str:
    """Markdown: the first row is the call itself, the others are what was added to it."""
    rows = [(NOTHING.name, *(f"{counts.calls[NOTHING.name][operation]:,.0f}" for operation in OPERATIONS))]
    idle = []
    for variant in list(counts.calls)[1:]:
        cells = [_cell(operation, counts.added(variant, operation)) for operation in OPERATIONS]
        if set(cells) == {"0"}:
            idle.append(f"`{variant}`")
        else:
            rows.append((variant, *cells))
    text = f"{counts.release}:\n\n{markdown(('attached', *OPERATIONS.values()), rows)}\n"
    return f"{text}\nThese add nothing to any of the calls: {', '.join(idle)}.\n" if idle else text


def _cell(operation: str, added: int) -> str:
    noise = SEND_NOISE if operation in SENDS else 0
    return f"{added:+,}" if abs(added) > noise else "0"


def replace_block(page: str, counts: Sequence[Counts]) -> str:
    """The page with the tables in place of what is between the two markers."""
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    return "\n".join([f"{before}{_BEGIN}", *(f"\n{table(each)}" for each in counts), f"{_END}{after}"])
