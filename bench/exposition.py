"""Sample lines of an exposition, without parsing it in full."""

from collections.abc import Sequence


def samples(exposition: str, name: str = "") -> Sequence[str]:
    """The sample lines of one name, or all."""
    lines = [line for line in exposition.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if line.startswith((f"{name}{{", f"{name} "))] if name else lines


def total(exposition: str, name: str) -> float:
    """The sum of all samples of one name."""
    return sum(float(line.split()[1]) for line in samples(exposition, name))
