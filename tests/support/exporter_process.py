"""Processes of ``copy-exporter``: started with flags, waited for, asked, ended."""

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
_HIDE = 'mount -t tracefs none /sys/kernel/tracing; mount -t tmpfs none /sys/kernel/tracing/events; exec "$@"'
WITHOUT_TRACEPOINTS = ("unshare", "--mount", "sh", "-ec", _HIDE, "sh")
"""Before a command: the files of tracepoints are hidden from it, which the sendfile probe needs and no other."""
HIDEPID = ("unshare", "--mount", "sh", "-ec", 'mount -t proc -o hidepid=2 proc /proc; exec "$@"', "sh")
"""Before a command: it sees no processes of other users."""
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
_LISTENING = re.compile(r"listening on (https?://127\.0\.0\.1:(\d+))")
START_SECONDS = 200.0
STOP_SECONDS = 20.0


class ExporterProcess:
    """One ``copy-exporter serve``; a context manager that ends it."""

    def __init__(
        self,
        *flags: str,
        command: Sequence[str | Path] = SERVE,
        environment: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
        listen: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """``client``: how to ask it, as options of :class:`httpx.Client`."""
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
            assert self.process.poll() is None, f"ended with status {self.process.returncode}: {self.log()}"
            self.url, self.port = self._announced()[0][0], int(self._announced()[0][1])
            self.client.base_url = httpx.URL(self.url)
            wait_until(lambda: self.get("/-/ready").status_code == 200, "readiness")
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
        """All that it has said so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode()

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.client.get(path, **options)  # type: ignore[arg-type]

    def metrics(self, *, openmetrics: bool = True) -> str:
        """The exposition as text."""
        answer = self.get("/metrics", headers=OPENMETRICS if openmetrics else {})
        assert answer.status_code == 200, answer.text
        return answer.text

    def status(self) -> dict[str, str]:
        """/proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}

    def terminate(self) -> int:
        """The end that an operator gives it; its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """An end without a farewell."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def refused(*arguments: str, **options: object) -> tuple[int, str]:
    """Run the command with arguments that it cannot use: its status, and the one line that it says."""
    done = subprocess.run(
        [*options.pop("before", ()), COMMAND, *arguments],  # type: ignore[misc]
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=START_SECONDS,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    said = done.stderr.decode()
    assert "Traceback" not in said, said
    assert said.count("\n") == 1, f"not one line: {said!r}"
    assert said.endswith("\n"), said
    assert not done.stdout, done.stdout
    return done.returncode, said.rstrip("\n")
