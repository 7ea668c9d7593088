"""``python -m bench.instructions FILE``: what a system call takes with each way to attach each probe, as JSON.

It runs in a virtual machine whose clock counts instructions (tests/matrix/instructions.py): a nanosecond is one.
"""

import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.tracing_programs import tracing_programs, wait_for_removal
from bench.variants import NOTHING, PROGRAMS, Variant, links
from bench.workload import Workload
from exporter.kernel.btf import Btf
from exporter.loading import cheap_probes
from exporter.loading.attach import ATTACHERS
from exporter.loading.compiler import Compiled, compile_probes
from exporter.loading.loader import attach, free_all_slots, usable
from exporter.loading.preemption import kernel_preemption, preemptible_attach_methods
from exporter.loading.probes import CHEAP_PROBE_NAMES, DEFAULT_PROBE_NAMES, PROBES, Hook, Probe

OPERATIONS = {
    "getppid": "getppid",
    "poll": "poll",
    "read_zero": "read 1 B",
    "read_file": "read 4 KiB",
    "send_tcp": "send 1 B",
    "receive_tcp": "receive 1 B",
    "sendfile": "sendfile 512 B",
    "uring_read": "io_uring read 1 B",
}
"""The operations of ``workload.c`` that are counted, and the titles of their columns."""
BATCHES = 21
WARM_UP_BATCHES = 3
"""The first batches insert rows into maps."""
EMPTY = "empty program: raw_tracepoint sys_exit"
ALL = "all probes that are on by default"


def variants(compiled: Compiled, probes: tuple[Probe, ...]) -> Iterator[Variant]:
    """Nothing, an empty program, all probes together, and each probe by each of its hooks.

    Left out are samples of the clock: they do not belong to a call.
    """
    yield NOTHING
    yield Variant(EMPTY, partial(_attached, compiled, Hook("raw_tracepoint", "sys_exit", "empty")))
    yield Variant(ALL, partial(_all_attached, compiled, probes))
    for probe in probes:
        for hook in probe.hooks:
            if hook.attach_method != "perf_event":
                name = f"{probe.name}: {hook.attach_method} {hook.target}"
                yield Variant(name, partial(_attached, compiled, hook))


def _attached(compiled: Compiled, hook: Hook) -> AbstractContextManager[None]:
    return links(ATTACHERS[hook.attach_method](compiled, hook))


@contextmanager
def _all_attached(compiled: Compiled, probes: tuple[Probe, ...]) -> Iterator[None]:
    """As the loader attaches them."""
    preemptible = preemptible_attach_methods(compiled, preempts=kernel_preemption(platform.version()).preempts)
    with ExitStack() as stack:
        for probe in probes:
            if probe.name in DEFAULT_PROBE_NAMES + CHEAP_PROBE_NAMES:
                hooks = cheap_probes.limit(probe, preemptible) if probe.name in CHEAP_PROBE_NAMES else probe
                _, attached = attach(compiled, hooks, preemptible)
                stack.enter_context(links(attached))
        yield


def measure(workload: Workload, compiled: Compiled, probes: tuple[Probe, ...]) -> dict[str, dict[str, float]]:
    """Instructions per call by variant and operation, of the variants that this kernel allows."""
    existing = tracing_programs()
    _count(workload)  # buffers of sockets grow at first
    calls = {}
    for variant in variants(compiled, probes):
        wait_for_removal(existing)
        try:
            with variant.attached():
                calls[variant.name] = _count(workload)
        except (OSError, LookupError) as error:
            print(f"not attached: {variant.name}: {error}", flush=True)
        else:
            print(f"{variant.name}: {calls[variant.name]}", flush=True)
    return calls


def _count(workload: Workload) -> dict[str, float]:
    calls = {}
    for operation in OPERATIONS:
        workload.measure(operation, WARM_UP_BATCHES)
        calls[operation] = workload.measure(operation, BATCHES)
    return calls


def main() -> None:
    """Write the release of the kernel and the measured to the file."""
    print("compiling", flush=True)
    btf = Btf()
    probes, _ = usable(btf, PROBES)
    compiled = compile_probes(btf, (*probes, PROGRAMS))
    free_all_slots(compiled)
    with tempfile.TemporaryDirectory(prefix="copy-exporter-bench-") as directory, Workload(Path(directory)) as workload:
        calls = measure(workload, compiled, probes)
    Path(sys.argv[1]).write_text(json.dumps({"release": platform.release(), "calls": calls}))


if __name__ == "__main__":
    main()
