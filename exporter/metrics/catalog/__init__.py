"""The catalog of metrics: every family that is exposed, declared once.

Dashboards, alerts and users depend on it. The collectors loop over it; docs/metrics.md (``make docs``) and the
fixtures of the tests are made from it.
"""

from exporter.loading.probes import DEFAULT_PROBE_NAMES
from exporter.metrics.catalog.copies import HISTOGRAMS, HOST_TOTALS, ROW_FAMILIES
from exporter.metrics.catalog.exporter import EXPORTER_FAMILIES, PROBE_FAMILIES
from exporter.metrics.catalog.kafka import KAFKA_FAMILIES
from exporter.metrics.catalog.network import NETWORK_FAMILIES
from exporter.metrics.catalog.processes import PROCESS_FAMILIES
from exporter.metrics.family import Family

READING_FAMILIES = (*PROCESS_FAMILIES, *KAFKA_FAMILIES, *PROBE_FAMILIES)
"""Families whose samples are computed from a reading of the probes' maps."""
FAMILIES: tuple[Family, ...] = (
    *HOST_TOTALS,
    *ROW_FAMILIES,
    *HISTOGRAMS,
    *READING_FAMILIES,
    *NETWORK_FAMILIES,
    *EXPORTER_FAMILIES,
)
"""All, in the order of the exposition."""
OPTIONAL_FAMILIES = tuple(family for family in FAMILIES if family.probe not in ("", *DEFAULT_PROBE_NAMES))
"""Those that a probe counts which is off by default."""

__all__ = [
    "EXPORTER_FAMILIES",
    "FAMILIES",
    "HISTOGRAMS",
    "HOST_TOTALS",
    "NETWORK_FAMILIES",
    "OPTIONAL_FAMILIES",
    "READING_FAMILIES",
    "ROW_FAMILIES",
    "Family",
]
