"""A real Alertmanager on loopback that tells nobody, and what its API answers."""

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx


@dataclass(frozen=True)
class Alert:
    """One that Alertmanager was told of and that has not ended."""

    labels: dict[str, str]
    annotations: dict[str, str]


class Alertmanager:
    """A server; a context manager that ends it. Asking it before it is ready is an error."""

    def __init__(self, directory: Path) -> None:
        """``directory`` takes configuration, data and log."""
        config = {"route": {"receiver": "nobody", "group_wait": "0s"}, "receivers": [{"name": "nobody"}]}
        (directory / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._log = (directory / "alertmanager.log").open("w+")
        self._client = httpx.Client(base_url=f"http://{self.address}", timeout=30)
        self._process = subprocess.Popen(
            [
                "prometheus-alertmanager",
                f"--config.file={directory}/alertmanager.yml",
                f"--storage.path={directory}/alertmanager",
                f"--web.listen-address={self.address}",
                "--cluster.listen-address=",
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
        """Whether it takes alerts by now."""
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def alerts(self, **labels: str) -> list[Alert]:
        """Those that are firing and have these labels."""
        matchers = [f'{label}="{value}"' for label, value in labels.items()]
        answer: list[dict[str, Any]] = self._client.get("/api/v2/alerts", params={"filter": matchers}).json()
        return [Alert(one["labels"], one["annotations"]) for one in answer]
