"""Sums of rows."""

from exporter.model import Count, Rows


def add_rows(total: Rows, rows: Rows, base: Rows | None = None) -> None:
    """Add ``rows`` to ``total``, less what they were at ``base``."""
    for row, count in rows.items():
        events, amount, since = count
        if base and row in base:
            events -= base[row].events
            amount -= base[row].amount
            if not events and not amount:  # the map may be read between the two additions to a row: the rest follows
                continue
        before = total.get(row)
        if before is None:
            total[row] = Count(events, amount, since)
        else:
            total[row] = Count(before.events + events, before.amount + amount, min(before.since_ns, since))


def first_ns(rows: Rows, default_ns: int) -> int:
    """Return the time of the first event, in nanoseconds of CLOCK_BOOTTIME."""
    return min((count.since_ns for count in rows.values()), default=default_ns)
