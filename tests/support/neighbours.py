"""``python -m tests.support.neighbours COMMAND…``: run a command, such as tests, beside other programs of a host.

They are an exporter on the usual port, a real broker that is written to and read, and a bpftrace program.
"""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.kafka.java import Java
from bench.kafka.kafka_jars import fetch_jars
from bench.kafka.kafka_server import KafkaServer
from tests.support.exporter_process import ExporterProcess
from tests.support.namespaces import WITH_TRACEFS

TOPIC, RECORDS, RECORD_BYTES = "of-a-neighbour", 1000, 10_000
PAUSE_SECONDS = 20.0
PROGRAM = """
tracepoint:syscalls:sys_enter_sendfile64 { @sendfile[comm] = count(); }
tracepoint:sched:sched_process_exec { @exec[comm] = count(); }
"""


@contextmanager
def tracing_program() -> Iterator[None]:
    """Programs of another user of eBPF are attached."""
    command = (*WITH_TRACEFS, "bpftrace", "-e", PROGRAM)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        assert process.poll() is None, "bpftrace has ended"
        process.terminate()


@contextmanager
def broker_under_load(directory: Path) -> Iterator[None]:
    """A real broker with a producer and a consumer."""
    ended = threading.Event()
    with KafkaServer(Java(fetch_jars()), directory) as server:
        server.create_topic(TOPIC)

        def load() -> None:
            while not ended.wait(PAUSE_SECONDS):
                server.produce(TOPIC, RECORDS, RECORD_BYTES)
                server.consume(TOPIC, RECORDS)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def main() -> int:
    """Run the command; returns its exit status."""
    with ExitStack() as stack:
        stack.enter_context(ExporterProcess("--web.listen-address", "127.0.0.1:10435", listen=False))
        stack.enter_context(broker_under_load(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        stack.enter_context(tracing_program())
        return subprocess.run(sys.argv[1:], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
