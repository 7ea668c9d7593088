"""What the exporter says, as sums."""

from prometheus_client.parser import text_string_to_metric_families

from bench.served import Served


class Scraped:
    """One exposition."""

    def __init__(self, served: Served) -> None:
        """Scrape now."""
        families = text_string_to_metric_families(served.scrape(openmetrics=False))
        self._samples = [(one.name, one.labels, one.value) for family in families for one in family.samples]

    def sum(self, metric: str, **labels: str) -> float:
        """Of all series of a metric that have these labels."""
        return sum(value for _, value in self._having(metric, labels))

    def series(self, metric: str, **labels: str) -> list[dict[str, str]]:
        """The labels of each."""
        return [own for own, _ in self._having(metric, labels)]

    def _having(self, metric: str, labels: dict[str, str]) -> list[tuple[dict[str, str], float]]:
        return [(own, value) for name, own, value in self._samples if name == metric and labels.items() <= own.items()]
