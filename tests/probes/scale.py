"""How often the tests do what they do many times."""

import os

SCALE = float(os.environ.get("COPY_EXPORTER_TEST_SCALE", "1"))
"""Emulated machines do less of the same."""
