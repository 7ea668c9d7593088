"""``copy-exporter doctor``: loads and attaches every probe, and reports what this kernel refuses."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.counting.maps import KernelMaps
from exporter.errors import KernelError
from exporter.host import capabilities, privileges
from exporter.host.own_command import sudo_command
from exporter.host.procfs import HOST_PID_REMEDY, PID_NAMESPACE_EFFECT, Procfs
from exporter.kernel.btf import VMLINUX, Btf
from exporter.loading import handover
from exporter.loading.handover import LoadedProbes, LoadRequest
from exporter.loading.probes import ESSENTIAL_PROBE_NAMES, PROBE_NAMES, PROBES, hook_note
from exporter.model import ProbeState

_TIMEOUT_SECONDS = 600.0
"""The kernel verifies all probes, also those that are off: that takes seconds, and minutes in an emulated kernel."""
_MAP_ENTRIES = 1024
_INEXACT = (
    "inexact on a busy CPU: this kernel preempts the program and then skips it for other tasks; "
    "copy_exporter_probe_missed_runs_total counts the skipped runs"
)
_ROWS = {probe.name: probe for probe in PROBES}


@dataclass(frozen=True)
class Check:
    """A condition for serving."""

    name: str
    ok: bool
    why: str
    """What was found."""
    remedy: str = ""
    """What to do; empty if ``ok``."""


@dataclass(frozen=True)
class Diagnosis:
    """The result of all checks, and the state of all probes."""

    kernel: str
    machine: str
    checks: tuple[Check, ...]
    probes: tuple[ProbeState, ...]
    left_off: dict[str, str] = field(default_factory=dict)
    """Why probes are off by default on this kernel that are on by default on others."""

    @property
    def exit_status(self) -> int:
        """0 if all essential probes can be attached, else 1."""
        attached = {probe.name for probe in self.probes if probe.attached}
        return 0 if attached.issuperset(ESSENTIAL_PROBE_NAMES) else 1


def examine(user: str = "nobody") -> Diagnosis:
    """Check the host, attach every probe, and detach them again."""
    checks = [_btf(), _privileges(), _processes()]
    probes: tuple[ProbeState, ...] = ()
    left_off: dict[str, str] = {}
    try:
        loaded = handover.load(LoadRequest(probes=PROBE_NAMES, map_entries={"counts": _MAP_ENTRIES}), _TIMEOUT_SECONDS)
    except KernelError as error:
        checks.append(Check("loader", False, str(error), "fix this first; no probe can be attached"))
    else:
        checks += [
            Check("loader", True, f"compiled and loaded; reads with {loaded.read_method}"),
            _reading(loaded, user),
        ]
        if loaded.syscall_hook:
            checks.append(Check("hook of system calls", True, loaded.syscall_hook))
        probes, left_off = loaded.probes, loaded.left_off
        loaded.close()
    return Diagnosis(platform.release(), platform.machine(), tuple(checks), probes, left_off)


def _btf() -> Check:
    name = "kernel types (BTF)"
    try:
        Btf()
    except KernelError as error:
        problem, _, remedy = str(error).partition(": ")
        return Check(name, False, problem, remedy)
    return Check(name, True, str(VMLINUX))


def _privileges() -> Check:
    name, user = "privileges for start-up", "root" if privileges.is_root() else f"user id {os.geteuid()}"
    held = ", ".join(sorted(capabilities.held())) or "no capability"
    if capabilities.can_load():
        return Check(name, True, user if privileges.is_root() else f"{user} with {held}")
    remedy = f"run as root ({sudo_command('doctor')}), or with CAP_BPF and CAP_PERFMON"
    return Check(name, False, f"{user} with {held}", remedy)


def _processes() -> Check:
    name = "processes of the host"
    if Procfs().shows_host:
        return Check(name, True, "/proc shows the initial pid namespace")
    return Check(name, False, f"/proc shows a pid namespace: {PID_NAMESPACE_EFFECT}", HOST_PID_REMEDY)


def _reading(loaded: LoadedProbes, user: str) -> Check:
    name = "reading maps without privileges"
    account = privileges.find_user(user)
    if privileges.works_after_drop(
        account, lambda: KernelMaps(loaded.maps, loaded.programs, loaded.free_slots).sample()
    ):
        user = account.name if privileges.is_root() else f"user id {os.geteuid()}"
        return Check(name, True, f"works as {user}, with no capability")
    return Check(name, False, "refused by this kernel (before v5.19)", "nothing: the service keeps CAP_BPF")


def as_json(diagnosis: Diagnosis) -> str:
    """The diagnosis as a JSON document."""
    probes = [
        asdict(probe) | {"essential": probe.name in ESSENTIAL_PROBE_NAMES, "note": _note(probe, diagnosis)}
        for probe in diagnosis.probes
    ]
    facts = {
        "kernel": diagnosis.kernel,
        "machine": diagnosis.machine,
        "ok": diagnosis.exit_status == 0,
        "checks": [asdict(check) for check in diagnosis.checks],
        "probes": probes,
    }
    return json.dumps(facts, indent=2)


def show(diagnosis: Diagnosis, console: Console) -> None:
    """Print the diagnosis as tables."""
    console.print(f"Linux {diagnosis.kernel} on {diagnosis.machine}", highlight=False)
    checks = _table("Check", "", "Found")
    for check in diagnosis.checks:
        checks.add_row(check.name, _mark(check.ok), _found(check.why, check.remedy))
    console.print(checks)
    if diagnosis.probes:
        notes = list(dict.fromkeys(filter(None, (_explanation(probe, diagnosis) for probe in diagnosis.probes))))
        probes = _table("Probe", "", "Hook", "Counts")
        for probe in diagnosis.probes:
            hook = f"{probe.attach_method} {probe.hook}"
            probes.add_row(probe.name, _probe_mark(probe), hook, _counts(probe, diagnosis, notes))
        console.print(probes)
        for number, note in enumerate(notes, 1):
            console.print(Text(f"({number}) {note}"))
    verdict = "can run on this host" if diagnosis.exit_status == 0 else "cannot run on this host"
    console.print(f"copy-exporter {verdict}.", highlight=False)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _mark(ok: bool) -> str:
    return "[green]ok[/green]" if ok else "[red]no[/red]"


def _probe_mark(probe: ProbeState) -> str:
    """A probe that is off by default is no fault where it cannot be attached."""
    return _mark(probe.attached) if probe.attached or _ROWS[probe.name].by_default else "[dim]no[/dim]"


def _found(why: str, remedy: str) -> Text:
    return Text(f"{why}; what to do: {remedy}" if remedy else why)


def _counts(probe: ProbeState, diagnosis: Diagnosis, notes: list[str]) -> Text:
    row, explanation = _ROWS[probe.name], _explanation(probe, diagnosis)
    counts = row.counts if probe.attached else f"missing: {row.missing}"
    if not row.by_default and (probe.name in diagnosis.left_off or not row.cheap_attach_method):
        counts = f"off by default: {counts}"
    return Text(f"{counts} ({notes.index(explanation) + 1})" if explanation else counts)


def _explanation(probe: ProbeState, diagnosis: Diagnosis) -> str:
    """Why it is not attached, or what its hook misses; probes with the same explanation share one note."""
    return _note(probe, diagnosis) if probe.attached else str(_found(probe.reason, probe.remedy))


def _note(probe: ProbeState, diagnosis: Diagnosis) -> str:
    if not probe.attached:
        return ""
    note = hook_note(probe.name, probe.attach_method, probe.hook)
    left_off = diagnosis.left_off.get(probe.name)
    why_off = f"off by default, because {left_off}" if left_off else ""
    return "; ".join(filter(None, (note, _INEXACT if probe.preemptible else "", why_off)))
