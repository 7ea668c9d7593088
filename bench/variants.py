"""What can be attached while the workload runs: each variant is a context in which it is."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache

from bench.workload import HERE
from exporter.counting.maps import KernelMaps
from exporter.host.procfs import Procfs
from exporter.kernel import libbpf
from exporter.kernel.btf import Btf, UnknownToBtfError
from exporter.loading import attach, handover
from exporter.loading.attach import Attached
from exporter.loading.compiler import Compiled, compile_probes
from exporter.loading.handover import LoadRequest
from exporter.loading.loader import free_all_slots
from exporter.loading.probes import DEFAULT_PROBE_NAMES, ESSENTIAL_PROBE_NAMES, Hook, Probe, select

RAW_TRACEPOINT = 17  # BPF_PROG_TYPE_RAW_TRACEPOINT
LOAD_TIMEOUT = 60.0
_ORDER = LoadRequest(probes=DEFAULT_PROBE_NAMES)
_BPFTRACE = " ".join(
    f"tracepoint:syscalls:sys_exit_{call} {{ @c[pid]=count(); @b[pid]=sum(args->ret); }}" for call in ("read", "write")
)
# bpftrace looks for tracepoints below debugfs, which is not mounted everywhere: mount it for bpftrace alone.
_WITH_DEBUGFS = 'mount -t debugfs none /sys/kernel/debug 2>/dev/null; exec bpftrace -q -e "$0"'
PROGRAMS = Probe(name="bench", source=str(HERE / "programs.c"), hooks=(), counts="", missing="")
"""The bench's own programs, to be compiled together with the product's."""
_BPFTRACE_SETTLES = 0.2
"""Seconds from BEGIN, which runs just before the others are attached."""


@dataclass(frozen=True)
class Variant:
    """Something to attach; ``attached()`` is the time during which it is."""

    name: str
    attached: Callable[[], AbstractContextManager[object]]


class OlderBtf(Btf):
    """The kernel's BTF as it was before it had the things of these names."""

    def __init__(self, *missing: str) -> None:
        """``missing``: names of enumerators and functions."""
        super().__init__()
        self._missing = missing

    def enumerator(self, enum: str, name: str) -> int:
        """See :class:`Btf`."""
        if name in self._missing:
            raise UnknownToBtfError(name)
        return super().enumerator(enum, name)

    def function_id(self, name: str) -> int:
        """See :class:`Btf`."""
        if name in self._missing:
            raise UnknownToBtfError(name)
        return super().function_id(name)


@cache
def compiled(*missing: str) -> Compiled:
    """The product's main probe and the bench's own programs, for a kernel without what is ``missing``."""
    probes = compile_probes(OlderBtf(*missing), (*select(("syscalls",)), PROGRAMS))
    free_all_slots(probes)
    return probes


@contextmanager
def links(attached: Attached) -> Iterator[None]:
    """Close the descriptors of a program and of what keeps it attached at the end."""
    try:
        yield
    finally:
        for descriptor in (*attached.links, *attached.programs):
            os.close(descriptor)


def typed(program: str, *missing: str) -> AbstractContextManager[None]:
    """A function of the product or the bench on ``sys_exit``, as the loader attaches it."""
    return links(attach.attach_raw_tracepoint(compiled(*missing), Hook("raw_tracepoint", "sys_exit", program)))


def untyped(program: str) -> AbstractContextManager[None]:
    """The same as a raw tracepoint whose arguments are mere numbers, as BCC's own tools attach."""
    descriptor = libbpf.load_program(RAW_TRACEPOINT, program, compiled().code(program))
    link = libbpf.library().bpf_raw_tracepoint_open(b"sys_exit", descriptor)
    if link < 0:
        raise OSError(-link, os.strerror(-link))
    return links(Attached((descriptor,), (link,)))


@contextmanager
def product(*probes: str, brokers: bool = False) -> Iterator[None]:
    """Probes as the service has them: loaded by the loader and handed over; ``brokers``: every process is one."""
    taken = handover.load(_ORDER.model_copy(update={"probes": probes}), LOAD_TIMEOUT)
    try:
        if reasons := [
            probe.reason for probe in taken.probes if probe.name in ESSENTIAL_PROBE_NAMES and not probe.attached
        ]:
            raise RuntimeError(f"the main probe is not attached: {reasons[0]}")
        if brokers:
            KernelMaps(taken.maps, taken.programs, taken.free_slots).watch_brokers(Procfs().pids())
        yield
    finally:
        taken.close()


@contextmanager
def bpftrace() -> Iterator[None]:
    """The one-liner that the design compares with."""
    script = 'BEGIN { printf("attached\\n"); } ' + _BPFTRACE
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", _WITH_DEBUGFS, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        if process.stdout.readline() != "attached\n":
            raise RuntimeError(f"bpftrace did not start: {script}")
        time.sleep(_BPFTRACE_SETTLES)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
    if "@c[" not in output:
        raise RuntimeError("bpftrace counted nothing")


NOTHING = Variant("nothing attached", nullcontext)
FLOOR = Variant("empty raw tracepoint (the floor)", lambda: untyped("empty"))
OURS = Variant("copy-exporter, all probes", lambda: product(*DEFAULT_PROBE_NAMES))
INCREMENT = Variant("one hash increment by pid", lambda: untyped("increment"))
BPFTRACE = Variant("bpftrace one-liner", bpftrace)
