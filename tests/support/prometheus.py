"""A real Prometheus server on loopback, and the API that it shares with other engines."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK, free_port
from tests.support.server import Server
from tests.support.wait import wait_until


@dataclass(frozen=True)
class Series:
    """One result of a query: its labels, and its values: one of an instant query, one per step of a range query."""

    labels: dict[str, str]
    values: tuple[float, ...]

    @property
    def has_data(self) -> bool:
        """Whether a value is not NaN."""
        return any(not math.isnan(value) for value in self.values)


JOB = "copy-exporter"
"""The name of the scrape configuration, which the rules use."""


def every_second(*ports: int, rule_files: Iterable[Path] = (), **options: object) -> dict[str, object]:
    """A configuration that scrapes targets on loopback; ``options`` are added to the scrape configuration."""
    targets = [f"{LOOPBACK}:{port}" for port in ports]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(file) for file in rule_files],
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": targets}], **options}],
    }


class QueryError(AssertionError):
    """The engine could not parse or evaluate an expression."""


class QueryServer(Server):
    """A server that answers PromQL over the API of Prometheus."""

    def get(self, path: str, **parameters: object) -> Any:
        """The ``data`` of an answer of the API. Raises :class:`QueryError`."""
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()  # type: ignore[arg-type]
        if answer["status"] != "success":
            raise QueryError(f"{parameters}: {answer['error']}")
        return answer["data"]

    def instant(self, expression: str, **when: object) -> list[Series]:
        """The result of an instant query, now or at ``time``."""
        results = self.get("query", query=expression, **when)["result"]
        return [Series(result["metric"], (float(result["value"][1]),)) for result in results]

    def range_query(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """The result of a range query; times in seconds since the epoch."""
        results = self.get("query_range", query=expression, start=start, end=end, step=step)["result"]
        return [Series(result["metric"], tuple(float(value) for _, value in result["values"])) for result in results]

    def wait_for_scrapes(self, count: int) -> None:
        """Wait for so many more successful scrapes of every target that is up."""
        query = "min(sum_over_time(up[10m]) > 0) or vector(0)"
        wanted = self.number(query) + count
        wait_until(lambda: self.number(query) >= wanted, f"{count} scrapes", 60)

    def number(self, expression: str) -> float:
        """The value of an expression that has one result; otherwise NaN."""
        results = self.instant(expression)
        return results[0].values[0] if len(results) == 1 else math.nan


class Prometheus(QueryServer):
    """A Prometheus server with a configuration of the test."""

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any] | Path,
        program: str | Path = "prometheus",
        flags: Sequence[str] = (),
    ) -> None:
        """Start it; data, log and the configuration, unless it is a file, go to ``directory``."""
        file = config if isinstance(config, Path) else directory / "prometheus.yml"
        if not isinstance(config, Path):
            file.write_text(json.dumps(config))  # JSON is YAML
        self.port = free_port()
        command = [
            str(program),
            f"--config.file={file}",
            f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            *flags,
        ]
        super().__init__(command, self.port, directory / "log")
