"""Compiling the C programs that tests and benchmarks run."""

import subprocess
from pathlib import Path


def compile_c(source: Path, program: Path, *flags: str) -> Path:
    """Compile ``source`` unless ``program`` exists already; ``program``. Raises CalledProcessError on a warning."""
    if not program.exists():
        subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-pthread", *flags, "-o", program, source], check=True)
    return program
