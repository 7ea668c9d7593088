"""Ports that are not watched any more, and when their series end."""

from collections.abc import Iterable, Set

from exporter.model import Rows


class UnwatchedPorts:
    """The ports that rows have and that are not watched. Times are nanoseconds of CLOCK_BOOTTIME.

    Programs that look like brokers can have any port watched for a while. Without an end, every process that uses a
    port of the same number would have its series for as long as it lives.
    """

    def __init__(self, linger_ns: int) -> None:
        """``linger_ns``: how long their series are still shown."""
        self._linger_ns = linger_ns
        self._end_ns: dict[int, int] = {}

    def end(self, shown: Iterable[Rows], watched: Set[int], now_ns: int) -> Set[int]:
        """Return the ports whose series end at this scrape. ``shown``: the rows that it would show else."""
        unwatched = {row.port for rows in shown for row in rows} - watched - {0}
        self._end_ns = {port: self._end_ns.get(port, now_ns + self._linger_ns) for port in unwatched}
        return {port for port, end_ns in self._end_ns.items() if end_ns < now_ns}
