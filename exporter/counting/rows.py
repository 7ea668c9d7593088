"""Sums and parts of rows."""

from collections.abc import Set

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


def with_ports(rows: Rows, ports: Set[int]) -> Rows:
    """Return the rows of these ports."""
    return {row: count for row, count in rows.items() if row.port in ports}


def remove_ports(rows: Rows, ports: Set[int]) -> None:
    """Remove the rows of these ports."""
    for row in with_ports(rows, ports):
        del rows[row]


def without_port(rows: Rows) -> Rows:
    """Return the same counts by rows that have no port."""
    merged: Rows = {}
    for row, count in rows.items():
        add_rows(merged, {row._replace(port=0) if row.port else row: count})
    return merged


def first_ns(rows: Rows, default_ns: int) -> int:
    """Return the time of the first event, in nanoseconds of CLOCK_BOOTTIME."""
    return min((count.since_ns for count in rows.values()), default=default_ns)
