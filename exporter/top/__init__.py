"""``copy-exporter top``: the live rates of a host in a terminal (docs/top.md)."""
