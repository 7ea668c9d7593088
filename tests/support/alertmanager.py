"""A real Alertmanager on loopback that tells nobody, and what its API answers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK, free_port
from tests.support.server import Server


@dataclass(frozen=True)
class Alert:
    """One that Alertmanager was told of and that has not ended."""

    labels: dict[str, str]
    annotations: dict[str, str]


class Alertmanager(Server):
    """See :class:`Server`."""

    def __init__(self, directory: Path) -> None:
        """``directory`` takes configuration, data and log."""
        config = {"route": {"receiver": "nobody", "group_wait": "0s"}, "receivers": [{"name": "nobody"}]}
        (directory / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        command = [
            "prometheus-alertmanager",
            f"--config.file={directory}/alertmanager.yml",
            f"--storage.path={directory}/alertmanager",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        super().__init__(command, port, directory / "alertmanager.log")

    def alerts(self, **labels: str) -> list[Alert]:
        """Those that are firing and have these labels."""
        matchers = [f'{label}="{value}"' for label, value in labels.items()]
        answer: list[dict[str, Any]] = self._client.get("/api/v2/alerts", params={"filter": matchers}).json()
        return [Alert(one["labels"], one["annotations"]) for one in answer]
