"""Writes ``docs/kernels.md`` from the results of all targets."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch

from bench.figures import markdown
from exporter.loading.probes import DEFAULT_PROBE_NAMES, PROBE_NAMES
from exporter.model import ProbeState
from tests.support.requirements import NOT_IN_THIS_KERNEL

from .results import Outcome, TargetResult

MISSED_RUNS = "probes/test_missed_runs::*"

TOGETHER = {
    "contention": "probes/test_contention::*",
    "agreement": "probes/test_kernel_level::*",
    "service": "service/*",
}
"""The tests of several probes together, by the column that shows them."""

CHECKS = ("loader", "hook of system calls", "reading maps without privileges")
"""The checks of ``doctor`` whose findings differ between kernels."""


class Mark(StrEnum):
    """The verdict on a probe or on a group of tests."""

    EXACT = "✓"
    FAILED = "**failed**"
    NOT_ATTACHED = "✗"
    NOT_TESTED = "?"


HEAD = f"""\
# Kernels

`make matrix` writes this page: it boots each kernel in a virtual machine and runs the tests that compare counts with a
known truth (`tests/probes`). [tests/matrix](../tests/matrix/README.md) explains how.

- {Mark.EXACT} **exact**: the probe is attached, and every test of its counts that ran found them equal to the truth.
- {Mark.FAILED}: the probe is attached, and a test found other counts.
- {Mark.NOT_ATTACHED} **not attached**: `copy-exporter doctor` gives the reason, which is listed below.
- {Mark.NOT_TESTED} **not tested**: the probe is attached, but no test of it ran. `copy_time` measures time, which means
  nothing under emulation; on arm64, only the tests run whose system calls or registers differ.

The kernels run Debian 12 with BCC 0.26, and with `preempt=full` where they offer the choice; `make matrix-modes` tests
the other modes. The rows of other versions of BCC ran on the kernel of the host.
"""

TOGETHER_HEAD = """\
## Several probes together

- **contention**: three busy processes per CPU, while another process reads the maps.
- **agreement**: the counts of system calls and of the kernel's copy functions agree.
- **service**: the counts that the service exports over HTTP.
- **missed runs**: three threads per CPU read a file in memory one byte at a time, counted by `shmem_file_read_iter`.
  The kernel skips some runs of the probe; the exporter reports each of them as missed.
"""


@dataclass(frozen=True)
class ProbeSummary:
    """A probe on one target."""

    mark: Mark
    hook: str = ""
    """Attach method and hook, if it is attached."""
    reason: str = ""
    """Why it is not attached."""


@dataclass(frozen=True)
class Skip:
    """Tests of one module that were skipped for the same reason."""

    module: str
    reason: str
    tests: int


@dataclass(frozen=True)
class Summary:
    """What the page shows of one target."""

    name: str
    release: str
    probes: dict[str, ProbeSummary]
    together: dict[str, Mark]
    missed_runs: str
    checks: dict[str, str]
    skips: tuple[Skip, ...] = ()
    failures: tuple[str, ...] = ()


def summarize(result: TargetResult) -> Summary:
    """Reduce a result to what the page shows."""
    missed = [outcome.measured for outcome in _matching(result, MISSED_RUNS) if outcome.measured]
    return Summary(
        name=result.name,
        release=result.release,
        probes={probe.name: _summarize_probe(result, probe) for probe in result.probes},
        together={column: _mark(_matching(result, pattern)) for column, pattern in TOGETHER.items()},
        missed_runs="; ".join(missed),
        checks={name: result.checks[name] for name in CHECKS if name in result.checks},
        skips=tuple(_skips(result)),
        failures=tuple(str(outcome) for outcome in result.in_state("failed")),
    )


def outcomes_of(result: TargetResult, probe: str) -> list[Outcome]:
    """The outcomes of the tests of a probe."""
    return [outcome for outcome in result.outcomes if probe in outcome.probes]


def _matching(result: TargetResult, pattern: str) -> list[Outcome]:
    return [outcome for outcome in result.outcomes if fnmatch(f"{outcome.module}::{outcome.name}", pattern)]


def _summarize_probe(result: TargetResult, probe: ProbeState) -> ProbeSummary:
    if not probe.attached:
        return ProbeSummary(Mark.NOT_ATTACHED, reason=probe.reason)
    return ProbeSummary(_mark(outcomes_of(result, probe.name)), f"{probe.attach_method} {probe.hook}")


def _mark(outcomes: Iterable[Outcome]) -> Mark:
    states = {outcome.state for outcome in outcomes}
    if "failed" in states:
        return Mark.FAILED
    return Mark.EXACT if "passed" in states else Mark.NOT_TESTED


def _skips(result: TargetResult) -> Iterator[Skip]:
    """Skipped tests by module and reason, without those whose probe is not attached: the page lists these reasons."""
    unattached = {probe.reason for probe in result.probes if not probe.attached}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for outcome in result.in_state("skipped"):
        reason = outcome.reason.removeprefix(f"{NOT_IN_THIS_KERNEL} ")
        if reason.removeprefix(f"{reason.split(': ')[0]}: ") not in unattached and reason not in unattached:
            counts[outcome.module.rpartition("/")[2], reason] += 1
    for (module, reason), tests in counts.items():
        yield Skip(module, reason, tests)


def render(summaries: Sequence[Summary]) -> str:
    """The whole page."""
    others = [name for name in PROBE_NAMES if name not in DEFAULT_PROBE_NAMES]
    sections = [
        HEAD,
        "## Probes that are on by default\n",
        _marks(summaries, DEFAULT_PROBE_NAMES),
        "\n## Probes that are off by default\n",
        _marks(summaries, others),
        f"\n{TOGETHER_HEAD}",
        _together(summaries),
        *_list("Failed tests", _failures(summaries)),
        *_list("Reasons: not attached", _unattached(summaries)),
        *_list("Reasons: skipped tests", _skipped(summaries)),
        "\n## Hooks\n",
        markdown(("probe", "attached to"), list(_hooks(summaries))),
        *_list("Other differences, from `doctor`", _checks(summaries)),
    ]
    return "\n".join(sections) + "\n"


def _label(summary: Summary) -> str:
    return f"{summary.name} ({summary.release})"


def _marks(summaries: Sequence[Summary], probes: Sequence[str]) -> str:
    rows = [
        (_label(summary), *(summary.probes[name].mark if name in summary.probes else "" for name in probes))
        for summary in summaries
    ]
    return markdown(("kernel", *(f"`{name}`" for name in probes)), rows)


def _together(summaries: Sequence[Summary]) -> str:
    rows = [
        (_label(summary), *(summary.together[column] for column in TOGETHER), summary.missed_runs or Mark.NOT_TESTED)
        for summary in summaries
    ]
    return markdown(("kernel", *TOGETHER, "missed runs"), rows)


def _list(title: str, lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    return [f"\n## {title}\n", *(f"- {line}" for line in lines)] if lines else []


def _failures(summaries: Sequence[Summary]) -> Iterator[str]:
    return (f"{summary.name}: `{failure}`" for summary in summaries for failure in summary.failures)


def _unattached(summaries: Sequence[Summary]) -> Iterator[str]:
    probes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for summary in summaries:
        for name, probe in summary.probes.items():
            if probe.reason:
                probes[summary.name, probe.reason].append(f"`{name}`")
    grouped = _group((f"{reason}: {', '.join(names)}", target) for (target, reason), names in probes.items())
    return (f"{targets}: {text}" for text, targets in grouped)


def _skipped(summaries: Sequence[Summary]) -> Iterator[str]:
    grouped = _group(
        (f"{skip.reason}: {_tests(skip.tests)} of `{skip.module}`", summary.name)
        for summary in summaries
        for skip in summary.skips
    )
    return (f"{targets}: {text}" for text, targets in grouped)


def _tests(count: int) -> str:
    return f"{count} test" if count == 1 else f"{count} tests"


def _hooks(summaries: Sequence[Summary]) -> Iterator[tuple[str, str]]:
    """The most common hook of each probe, and the others with the names of their targets."""
    for name in PROBE_NAMES:
        probes = [(summary.probes[name].hook, summary.name) for summary in summaries if name in summary.probes]
        counts = Counter(hook for hook, _ in probes if hook)
        if counts:
            common = counts.most_common(1)[0][0]
            others = [f"on {targets}: {hook}" for hook, targets in _group(probes) if hook not in ("", common)]
            yield f"`{name}`", "; ".join([common, *others])


def _checks(summaries: Sequence[Summary]) -> Iterator[str]:
    for check in CHECKS:
        for finding, targets in _group((summary.checks.get(check, ""), summary.name) for summary in summaries):
            yield f"{check}: {finding}: {targets}"


def _group(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each text once, with the names of its targets."""
    targets: dict[str, list[str]] = defaultdict(list)
    for text, target in pairs:
        targets[text].append(target)
    return [(text, ", ".join(names)) for text, names in targets.items()]
