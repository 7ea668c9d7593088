"""Processes of ``copy-exporter``: starts them with flags, sends them requests and stops them."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.support.wait import wait_until

COMMAND = Path(sys.executable).with_name("copy-exporter")
SERVE = (COMMAND, "serve")
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
_LISTENING = re.compile(r"listening on (https?://127\.0\.0\.1:(\d+))")
START_SECONDS = 200.0
STOP_SECONDS = 20.0


class ExporterProcess:
    """One ``copy-exporter serve`` that is ready to serve; a context manager that terminates it."""

    def __init__(
        self,
        *flags: str,
        command: Sequence[str | Path] = SERVE,
        environment: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
        listen: bool = True,
        pass_fds: Sequence[int] = (),
        ready_status: int = 200,
    ) -> None:
        """Start it and wait until it is ready. Raises AssertionError with its log when it exits instead.

        ``client`` are options of :class:`httpx.Client`. Without ``listen``, the command has its own listening sockets.
        ``ready_status`` is 401 when the client has no password.
        """
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open for as long as the service runs
        self.process = subprocess.Popen(
            [*command, *(("--web.listen-address", "127.0.0.1:0") if listen else ()), *flags],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **(environment or {})},
            pass_fds=pass_fds,
        )
        self.options = dict(client or {})
        self.client = httpx.Client(timeout=60, **self.options)
        try:
            wait_until(lambda: self._announced() or self.process.poll() is not None, "an address", START_SECONDS)
            assert self.process.poll() is None, f"exited with status {self.process.returncode}: {self.log()}"
            self.url, self.port = self._announced()[0][0], int(self._announced()[0][1])
            self.client.base_url = httpx.URL(self.url)
            wait_until(lambda: self.get("/-/ready").status_code == ready_status, "readiness")
        except BaseException:
            self.process.kill()
            self.process.wait()
            self._close()
            raise

    def __enter__(self) -> "ExporterProcess":
        return self

    def __exit__(self, *problem: object) -> None:
        if self.process.poll() is None:
            self.terminate()
        print(f"--- log of {self.process.args}\n{self.log()}")  # pytest shows it when the test failed
        self._close()

    def _close(self) -> None:
        self.client.close()
        self._log.close()

    def _announced(self) -> list[tuple[str, str]]:
        return _LISTENING.findall(self.log())

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        """Everything that it has logged so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode()

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.client.get(path, **options)  # type: ignore[arg-type]

    def metrics(self, *, openmetrics: bool = True) -> str:
        """The text of a scrape."""
        answer = self.get("/metrics", headers=OPENMETRICS if openmetrics else {})
        assert answer.status_code == 200, answer.text
        return answer.text

    def status(self) -> dict[str, str]:
        """The fields of /proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}

    def terminate(self) -> int:
        """Stop it as an operator does; its exit status."""
        return self._stop(signal.SIGTERM)

    def kill(self) -> int:
        """Kill it; its exit status."""
        return self._stop(signal.SIGKILL)

    def _stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def refused(*arguments: str, **options: object) -> tuple[int, str]:
    """Run the command with arguments that it cannot use; its exit status, and its one line on standard error."""
    done = subprocess.run(
        [*options.pop("before", ()), COMMAND, *arguments],  # type: ignore[misc]
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=START_SECONDS,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    output = done.stderr.decode()
    assert "Traceback" not in output, output
    assert output.count("\n") == 1, f"not one line: {output!r}"
    assert output.endswith("\n"), output
    assert not done.stdout, done.stdout
    return done.returncode, output.rstrip("\n")
