"""``python -m bench.kafka [--rounds N]``: measure the cost of the exporter for a broker, as root."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.__main__ import show, show_targets
from bench.kafka.discovery_cost import discovery_cost
from bench.kafka.java import Java
from bench.kafka.kafka_jars import JarsUnavailableError, fetch_jars
from bench.kafka.kafka_server import KafkaServer
from bench.kafka.throughput import throughput


def main() -> int:
    """Print the report; the exit status is 0 when the targets are met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.kafka", description="Measure a broker with and without the exporter."
    )
    parser.add_argument("--rounds", type=int, default=10, help="rounds to measure (default: %(default)s)")
    rounds = parser.parse_args().rounds
    if os.geteuid():
        print("bench: attaching probes needs root: sudo make bench-kafka", file=sys.stderr)
        return 1
    try:
        java = Java(fetch_jars())
    except JarsUnavailableError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    started = time.monotonic()
    print(f"Kafka {java.kafka_version}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before", flush=True)
    show(discovery_cost())
    with tempfile.TemporaryDirectory(prefix="copy-exporter-bench-") as name, KafkaServer(java, Path(name)) as server:
        section = throughput(server, rounds)
    show(section)
    show_targets([section])
    print(f"{time.monotonic() - started:.0f} s in total")
    return 0 if all(target.met for target in section.targets) else 1


if __name__ == "__main__":
    sys.exit(main())
