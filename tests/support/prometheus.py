"""A real Prometheus server on loopback, and what its API answers."""

import json
import math
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx


@dataclass(frozen=True)
class Series:
    """One result of a query: its labels and its values, one for an instant query."""

    labels: dict[str, str]
    values: tuple[float, ...]

    @property
    def has_data(self) -> bool:
        """Whether there is a number in it."""
        return any(not math.isnan(value) for value in self.values)


def every_second(port: int, **options: object) -> dict[str, object]:
    """A configuration with one target on loopback; ``options``: more of the scrape configuration."""
    job = {"job_name": "copy", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}], **options}
    return {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}


class RefusedQueryError(AssertionError):
    """Prometheus could not make sense of an expression, or not evaluate it."""


class Prometheus:
    """A server with this configuration; a context manager that ends it. Asking it before it is ready is an error."""

    def __init__(self, directory: Path, config: Mapping[str, Any] | Path) -> None:
        """``directory`` takes data, log, and the configuration unless that is a file."""
        file = config if isinstance(config, Path) else directory / "prometheus.yml"
        if not isinstance(config, Path):
            file.write_text(json.dumps(config))  # JSON is YAML
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._log = (directory / "log").open("w+")
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._client.close()
        self._log.close()

    def ready(self) -> bool:
        """Whether it serves queries by now."""
        assert self._process.poll() is None, self.log()
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """All that it has said so far."""
        return Path(self._log.name).read_text()

    def get(self, path: str, **parameters: object) -> Any:
        """``data`` of an answer of the API."""
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()  # type: ignore[arg-type]
        if answer["status"] != "success":
            raise RefusedQueryError(f"{parameters}: {answer['error']}")
        return answer["data"]

    def instant(self, expression: str, **when: object) -> list[Series]:
        """What it is now, or at ``time``."""
        results = self.get("query", query=expression, **when)["result"]
        return [Series(one["metric"], (float(one["value"][1]),)) for one in results]

    def course(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """What it was, step by step."""
        results = self.get("query_range", query=expression, start=start, end=end, step=step)["result"]
        return [Series(one["metric"], tuple(float(value) for _, value in one["values"])) for one in results]

    def number(self, expression: str) -> float:
        """The one number that an expression has now; NaN when it has none or several."""
        found = self.instant(expression)
        return found[0].values[0] if len(found) == 1 else math.nan
