"""Taking files out of the page cache."""

import os
from pathlib import Path


def drop_from_page_cache(file: Path) -> None:
    """Write a file to its disk and drop its pages; where the file system keeps them in memory, they stay."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
