"""A real Alertmanager on loopback that sends no notifications, and its API."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK, free_port
from tests.support.server import Server


@dataclass(frozen=True)
class Alert:
    """An alert that is active in Alertmanager."""

    labels: dict[str, str]
    annotations: dict[str, str]


class Alertmanager(Server):
    """An Alertmanager whose only receiver does nothing."""

    def __init__(self, directory: Path) -> None:
        """Start it; configuration, data and log go to ``directory``."""
        config = {"route": {"receiver": "none", "group_wait": "0s"}, "receivers": [{"name": "none"}]}
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
        """The active alerts that have these labels."""
        matchers = [f'{label}="{value}"' for label, value in labels.items()]
        alerts: list[dict[str, Any]] = self._client.get("/api/v2/alerts", params={"filter": matchers}).json()
        return [Alert(alert["labels"], alert["annotations"]) for alert in alerts]
