"""``python -m bench.instructions``: how long the program of each probe is: for kernels where no time is measured."""

import sys

from bench.figures import markdown
from exporter.errors import KernelError
from exporter.kernel import libbpf
from exporter.loading.handover import LoadRequest, load
from exporter.loading.probes import DEFAULT_PROBE_NAMES, PROBE_NAMES

TIMEOUT_SECONDS = 300.0
COLUMNS = ("probe", "hook", "by default", "BPF instructions", "bytes of machine code")


def rows() -> list[tuple[str, ...]]:
    """Attach everything, ask the kernel, detach."""
    loaded = load(LoadRequest(probes=PROBE_NAMES, map_entries={"counts": 1024}), TIMEOUT_SECONDS)
    try:
        infos = {name: libbpf.program_info(descriptor) for name, descriptor in loaded.programs.items()}
    finally:
        loaded.close()
    return [
        (
            probe.name,
            f"{probe.attach_method} {probe.hook}",
            "on" if probe.name in DEFAULT_PROBE_NAMES else "off",
            str(infos[probe.name].instructions),
            str(infos[probe.name].jited_bytes),
        )
        for probe in loaded.probes
        if probe.attached
    ]


def main() -> int:
    """Print the table."""
    try:
        print(markdown(COLUMNS, rows()))
    except KernelError as error:
        print(f"bench.instructions: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
