"""Sums of rows."""

from exporter.model import Count, Rows


def add(total: Rows, rows: Rows, base: Rows | None = None) -> None:
    """Add ``rows``, less what they were at ``base``, to ``total``."""
    for row, count in rows.items():
        events, amount, since = count
        if base and row in base:
            events -= base[row].events
            amount -= base[row].amount
            if not events and not amount:  # a row that was read between its two additions has the rest to come
                continue
        before = total.get(row)
        if before is None:
            total[row] = Count(events, amount, since)
        else:
            total[row] = Count(before.events + events, before.amount + amount, min(before.since_ns, since))
