"""A process that attaches probes of its own and answers with the live rates, for ``copy-exporter top``.

It starts and gives up its privileges as ``serve`` does, and listens nowhere: requests and answers pass over a socket
pair. It exits, and so detaches the probes, when its starter closes the socket or exits.
"""

import os
import pickle
import socket
import sys
import time

from pydantic import TypeAdapter

from exporter.config import Config
from exporter.errors import CopyExporterError, KernelError
from exporter.host.child_process import ChildFailedError, ChildProcess, python_module
from exporter.host.signals import TerminationSignals
from exporter.host.surroundings import forbid_tracing
from exporter.live.rates import Rates
from exporter.live.reader import LiveReader
from exporter.service.sampling import live_readers, make_sampler
from exporter.service.startup import LOADER_TIMEOUT_SECONDS, drop_privileges, load, open_privileged
from exporter.service.threads import BackgroundThreads

_INTERVAL_SECONDS = 1.0
_REQUEST = b"?"
_MAX_MESSAGE_BYTES = 1 << 16
_JSON = TypeAdapter(Rates)


class LiveProcess:
    """The process as its starter sees it. For one thread."""

    def __init__(self, config: Config) -> None:
        """Start the process; the first reading waits until its probes are attached."""
        self._process = ChildProcess("the process with the probes", python_module("exporter.service.live_process"))
        self._process.send(pickle.dumps(config))

    def read(self) -> bytes:
        """Return the next rates as JSON, a second after the last. Raises :class:`KernelError`."""
        self._process.send(_REQUEST)
        try:
            error, descriptors = self._process.receive_descriptors(_MAX_MESSAGE_BYTES, 1, LOADER_TIMEOUT_SECONDS)
        except ChildFailedError as failure:
            raise KernelError(str(failure)) from None
        if not descriptors:
            raise KernelError(error.decode())
        with open(descriptors[0], "rb") as file:
            return file.read()

    def close(self) -> None:
        """Detach the probes."""
        self._process.close()


def main() -> None:
    """``python -m exporter.service.live_process SOCKET``."""
    forbid_tracing()
    channel = socket.socket(fileno=int(sys.argv[1]))
    config = pickle.loads(channel.recv(_MAX_MESSAGE_BYTES))
    try:
        with TerminationSignals() as signals:
            _answer(channel, _start(config, signals))
    except CopyExporterError as error:
        channel.send(str(error).encode())
    except OSError as error:
        channel.send(f"the probes' maps cannot be read: {error.strerror}".encode())


def _start(config: Config, signals: TerminationSignals) -> LiveReader:
    loaded = load(config, signals, lambda: None)
    privileged = open_privileged(config)
    drop_privileges(config, loaded)
    threads = BackgroundThreads()
    sampler = make_sampler(config, loaded, privileged, threads)
    threads.start()
    return live_readers(config, loaded, privileged, sampler)()


def _answer(channel: socket.socket, reader: LiveReader) -> None:
    """Answer each request with rates over at least a second, until the starter closes the socket."""
    reader.read()
    due = time.monotonic()
    while channel.recv(len(_REQUEST)):
        due = max(due + _INTERVAL_SECONDS, time.monotonic())
        time.sleep(due - time.monotonic())
        if rates := reader.read():
            _send(channel, _JSON.dump_json(rates))


def _send(channel: socket.socket, body: bytes) -> None:
    """Send a file in memory: a message has a maximum size."""
    with os.fdopen(os.memfd_create("rates"), "w+b") as file:
        file.write(body)
        file.seek(0)
        socket.send_fds(channel, [_REQUEST], [file.fileno()])


if __name__ == "__main__":
    main()
