"""The loader: a short-lived process that runs as root, and the only one that imports bcc.

It compiles the probes with BCC, loads and attaches them one by one, sends the descriptors
(:mod:`exporter.loading.handover`), and exits without closing anything: the receiver has what it attached.
"""

import errno
import os
import platform
import socket
import sys

from exporter.errors import CopyExporterError, KernelError
from exporter.host.capabilities import can_load, raise_permitted
from exporter.host.own_command import sudo_command
from exporter.host.surroundings import forbid_tracing
from exporter.kernel import libbpf
from exporter.kernel.btf import Btf
from exporter.kernel.free_slots import FreeSlots
from exporter.loading import cheap_probes
from exporter.loading.attach import ATTACHERS, TRAMPOLINES, Attached
from exporter.loading.attach_errors import explain
from exporter.loading.compiler import RETURN_0, Compiled, compile_probes
from exporter.loading.handover import LoadReport, LoadRequest, send
from exporter.loading.kernel_constants import VerifierFeatures, defines
from exporter.loading.preemption import kernel_preemption, preemptible_attach_methods
from exporter.loading.probes import ESSENTIAL_PROBE_NAMES, Hook, Probe, select
from exporter.loading.syscall_hook import choose
from exporter.model import ProbeState


def usable(btf: Btf, probes: tuple[Probe, ...]) -> tuple[tuple[Probe, ...], dict[str, ProbeState]]:
    """The probes whose facts this kernel has, and the states of the others."""
    known, refused = [], {}
    for probe in probes:
        try:
            defines(btf, probe.facts)
            known.append(probe)
        except LookupError as error:
            refused[probe.name] = _refusal(probe, probe.hooks[0], error)
    return tuple(known), refused


def attach(compiled: Compiled, probe: Probe, preemptible: frozenset[str]) -> tuple[ProbeState | None, Attached]:
    """Attach by the first hook that the kernel allows; those with a ``preemptible`` attach method are tried last.

    Returns the state of the probe, None if it has no hooks, and its descriptors. When no hook can be attached, the
    state has the reason of the first hook whose target this kernel has.
    """
    if not probe.hooks:
        return None, Attached((), ())
    refused: dict[Hook, Exception] = {}
    for hook in sorted(probe.hooks, key=lambda hook: hook.attach_method in preemptible):
        try:
            attached = ATTACHERS[hook.attach_method](compiled, hook)
            return _success(probe, hook, preemptible=hook.attach_method in preemptible), attached
        except (OSError, LookupError) as error:
            refused[hook] = error
    present = [hook for hook in probe.hooks if not isinstance(refused[hook], LookupError)]
    hook = (present or probe.hooks)[0]
    return _refusal(probe, hook, refused[hook]), Attached((), ())


def _success(probe: Probe, hook: Hook, *, preemptible: bool) -> ProbeState:
    return ProbeState(
        name=probe.name, hook=hook.target, attach_method=hook.attach_method, attached=True, preemptible=preemptible
    )


def _refusal(probe: Probe, hook: Hook, error: Exception) -> ProbeState:
    reason, remedy = explain(hook.attach_method, error)
    return ProbeState(
        name=probe.name,
        hook=hook.target,
        attach_method=hook.attach_method,
        attached=False,
        reason=reason,
        remedy=remedy,
    )


def load(request: LoadRequest) -> tuple[LoadReport, list[int]]:
    """Compile, load and attach; returns the report, and the descriptors in its order."""
    btf = Btf()
    preemption = kernel_preemption(platform.version())
    syscall_hook = choose(btf, preemption, request.syscall_hook)
    wanted = select({*request.probes, *request.probes_if_cheap})
    probes, states = usable(btf, tuple(map(syscall_hook.limit, wanted)))
    compiled = compile_all(btf, probes, request, syscall_functions=syscall_hook.functions)
    free_slots = free_all_slots(compiled)
    preemptible = preemptible_attach_methods(compiled, preempts=preemption.preempts)
    programs: dict[str, tuple[int, ...]] = {}
    links = [_run_statistics()] if request.statistics else []
    slow_links: list[int] = []
    left_off: dict[str, str] = {}
    for probe in probes:
        by_flag = probe.name in request.probes
        state, attached = attach(compiled, probe if by_flag else cheap_probes.limit(probe, preemptible), preemptible)
        if why := cheap_probes.why_off(probe, state, preemption):
            left_off[probe.name] = why
        if state is None or (why and not by_flag):
            continue
        states[probe.name] = state
        if attached.programs:
            programs[probe.name] = attached.programs
        (slow_links if state.attach_method in TRAMPOLINES else links).extend(attached.links)
    maps = compiled.maps()
    mode_reader = [] if preemption.mode_reader is None else [preemption.mode_reader]
    report = LoadReport(
        probes=tuple(states[probe.name] for probe in wanted if probe.name in states),
        left_off=left_off,
        maps=tuple(maps),
        programs={name: len(descriptors) for name, descriptors in programs.items()},
        mode_readers=len(mode_reader),
        links=len(links),
        slow_links=len(slow_links),
        read_method=_read_method(compiled.features),
        syscall_hook=syscall_hook.describe(states["syscalls"]) if "syscalls" in states else "",
    )
    ordered = (maps.values(), *programs.values(), [free_slots], mode_reader, links, slow_links)
    return report, [descriptor for group in ordered for descriptor in group]


def compile_all(
    btf: Btf, probes: tuple[Probe, ...], request: LoadRequest, *, syscall_functions: bool = False
) -> Compiled:
    """Compile these probes and the essential ones, whose C declares the maps that the serving process reads."""
    names = {*ESSENTIAL_PROBE_NAMES, *(probe.name for probe in probes)}
    try:
        return compile_probes(
            btf, select(names), request.map_entries, request.sampling_rate, syscall_functions=syscall_functions
        )
    except LookupError as error:
        raise KernelError(f"the probes cannot be compiled for this kernel: {error}") from None


def free_all_slots(compiled: Compiled) -> int:
    """Make all slots of counts free, before a probe needs one; returns the program that does it."""
    code = compiled.code("free_slot_numbers")
    program = libbpf.load_program(libbpf.PROG_TYPE_RAW_TRACEPOINT, "free_slot_numbers", code)
    maps = compiled.maps()
    FreeSlots(maps["freed"], program).add(range(libbpf.map_info(maps["counts"]).max_entries))
    return program


def _read_method(features: VerifierFeatures) -> str:
    if features.rdonly_cast:
        return "typed pointers throughout"
    return "typed pointers for the task, probe reads behind descriptors" if features.typed_task else "probe reads"


def _run_statistics() -> int:
    try:
        return libbpf.enable_run_statistics()
    except OSError as error:
        raise KernelError(
            f"--probe.stats: the kernel refused to measure run times: {(error.strerror or str(error)).lower()}; "
            "start with CAP_SYS_ADMIN, or omit the flag"
        ) from None


def _require_privilege() -> None:
    """Load an empty program, because BCC's error does not show that a privilege is missing."""
    try:
        os.close(libbpf.load_program(libbpf.PROG_TYPE_TRACEPOINT, "privilege", RETURN_0))
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES) and can_load():
            raise KernelError(
                "the kernel refuses bpf() although this process has CAP_BPF and CAP_PERFMON: a seccomp profile (of a "
                "container), the kernel's lockdown (/sys/kernel/security/lockdown), or AppArmor or SELinux forbids it; "
                "allow bpf and perf_event_open there"
            ) from None
        if error.errno in (errno.EPERM, errno.EACCES):
            raise KernelError(
                f"loading eBPF programs is not permitted: run as root ({sudo_command('…')}), "
                "or with CAP_BPF and CAP_PERFMON, in a container too"
            ) from None
        raise KernelError(
            f"this kernel cannot load eBPF programs: {error.strerror}; use a kernel with CONFIG_BPF_SYSCALL=y"
        ) from None


def main() -> None:
    """``python -m exporter.loading.loader SOCKET REQUEST``."""
    forbid_tracing()
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        raise_permitted()
        _require_privilege()
        report, descriptors = load(LoadRequest.model_validate_json(sys.argv[2]))
    except CopyExporterError as error:
        report, descriptors = LoadReport(error=str(error)), []
    send(channel, report, descriptors)
    os._exit(0)  # a regular exit would run BCC's cleanup, which detaches everything


if __name__ == "__main__":
    main()
