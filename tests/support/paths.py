"""Places in the checkout and on the host."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
CACHE = Path(os.environ.get("COPY_EXPORTER_CACHE") or ROOT / ".cache").absolute()
"""Downloads that are kept between runs."""
