"""``python -m bench.kafka [--rounds N]``: what the exporter costs a broker, by Kafka's own tools, as root."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.__main__ import show, show_targets
from bench.kafka.artifacts import NoArtifactsError, jars
from bench.kafka.discovery_cost import discovery_cost
from bench.kafka.running import Broker, Java
from bench.kafka.throughput import throughput


def main() -> int:
    """Print the report; the exit status says whether the target is met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.kafka", description="A broker with and without the exporter."
    )
    parser.add_argument("--rounds", type=int, default=10, help="each with and without (default: %(default)s)")
    rounds = parser.parse_args().rounds
    if os.geteuid():
        print("bench: attaching probes needs root: sudo make bench-kafka", file=sys.stderr)
        return 1
    try:
        java = Java(jars())
    except NoArtifactsError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    started = time.monotonic()
    print(f"Kafka {java.kafka_version}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before", flush=True)
    show(discovery_cost())
    with tempfile.TemporaryDirectory(prefix="copy-exporter-bench-") as name, Broker(java, Path(name)) as broker:
        section = throughput(broker, rounds)
    show(section)
    show_targets([section])
    print(f"{time.monotonic() - started:.0f} s in all")
    return 0 if all(target.kept for target in section.targets) else 1


if __name__ == "__main__":
    sys.exit(main())
