"""Rates of two snapshots: what the host moves at the moment."""
