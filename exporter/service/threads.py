"""The background threads of the serving process."""

import threading
from collections.abc import Callable

from exporter.errors import KernelError


class BackgroundThreads:
    """Runs tasks, each in a thread of its own, until they are stopped together."""

    def __init__(self) -> None:
        """Run nothing yet."""
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(self, name: str, task: Callable[[threading.Event], None]) -> None:
        """Prepare a thread for ``task``, which returns soon after its event is set."""
        # Daemon threads: one that hangs in the kernel must not keep the process from exiting.
        self._threads.append(threading.Thread(target=task, args=(self._stopped,), name=name, daemon=True))

    def start(self) -> None:
        """Start all threads."""
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError:  # Python's word for EAGAIN
            raise KernelError(
                "the kernel starts no more threads for this user: raise its limit of processes (ulimit -u, TasksMax)"
            ) from None

    def stop(self) -> None:
        """Set the event of all tasks."""
        self._stopped.set()
