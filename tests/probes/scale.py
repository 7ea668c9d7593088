"""A factor for the number of repetitions in tests."""

import os

SCALE = float(os.environ.get("COPY_EXPORTER_TEST_SCALE", "1"))
"""Less than 1 on emulated machines, which are slow."""
