"""Measures what docs/performance.md reports: ``python -m bench``, as root."""
