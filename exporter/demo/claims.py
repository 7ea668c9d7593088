"""Compares the claims of the article with the measurements. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.demo.measurement import Measurement
from exporter.demo.methods import READ_WRITE, SENDFILE, TLS

ARTICLE = "The Zero Copy Optimization in Apache Kafka, by Stanislav Kozlovski"
ARTICLE_URL = "https://blog.2minutestreaming.com/p/apache-kafka-zero-copy-operating-system-optimization"
_TOLERANCE = 0.02
"""Relative: the kernel may cut a call short, and file systems read blocks of their own."""


class Verdict(Enum):
    """The result of comparing a claim with the measurements."""

    HOLDS = "holds"
    CONTRADICTED = "contradicted"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Claim:
    """A claim of the article, and what was measured."""

    name: str
    says: str
    measured: str
    verdict: Verdict


def judge(measurements: Sequence[Measurement]) -> tuple[Claim, ...]:
    """Judge all claims. One that this host cannot show is not checked, and ``measured`` is the reason."""
    copying, passing, secure = (
        [measurement for measurement in measurements if measurement.setting.method == method.name]
        for method in (READ_WRITE, SENDFILE, TLS)
    )
    return (
        _mode_switches(copying, passing),
        _cpu_copies(copying, passing),
        _dma(copying, passing),
        _tls(passing, secure),
    )


def exit_status(claims: Sequence[Claim]) -> int:
    """1 if the measurements contradict a claim, else 0."""
    return int(any(claim.verdict is Verdict.CONTRADICTED for claim in claims))


def _mode_switches(copying: list[Measurement], passing: list[Measurement]) -> Claim:
    before = [measurement.mode_switches_per_chunk for measurement in copying]
    after = [measurement.mode_switches_per_chunk for measurement in passing]
    return Claim(
        name="mode_switches",
        says="sendfile halves the mode switches per chunk: 4 become 2",
        measured=f"{_range(before)} become {_range(after)}",
        verdict=_verdict(_all_are(before, 4) and _all_are(after, 2)),
    )


def _cpu_copies(copying: list[Measurement], passing: list[Measurement]) -> Claim:
    before = [measurement.cpu_copies_per_byte for measurement in copying]
    after = [measurement.cpu_copies_per_byte for measurement in passing]
    return Claim(
        name="cpu_copies",
        says="sendfile removes the CPU copies of each byte: 2 become 0",
        measured=f"{_range(before)} become {_range(after)}",
        verdict=_verdict(_all_are(before, 2) and _all_are(after, 0)),
    )


def _dma(copying: list[Measurement], passing: list[Measurement]) -> Claim:
    def claim(measured: str, verdict: Verdict) -> Claim:
        return Claim("dma", "DMA stays: from a cold cache, 1 read of each byte from disk stays 1", measured, verdict)

    before = [
        measurement.dma_per_uncached_byte for measurement in copying if measurement.dma_per_uncached_byte is not None
    ]
    after = [
        measurement.dma_per_uncached_byte for measurement in passing if measurement.dma_per_uncached_byte is not None
    ]
    if not any(measurement.sees_disk for measurement in copying):
        return claim("the block probe is not attached", Verdict.NOT_CHECKED)
    if not before or not after:
        return claim("the file could not be dropped from the page cache", Verdict.NOT_CHECKED)
    measured = f"{_range(before)} becomes {_range(after)}"
    if not any(before):
        return claim(f"{measured}: not read from a disk of this kernel", Verdict.NOT_CHECKED)
    return claim(measured, _verdict(_all_are(before, 1) and _all_are(after, 1)))


def _tls(passing: list[Measurement], secure: list[Measurement]) -> Claim:
    share = [measurement.zero_copy_share for measurement in passing]
    share_left = [measurement.zero_copy_share for measurement in secure]
    copies = [measurement.cpu_copies_per_byte for measurement in secure]
    return Claim(
        name="tls",
        says="TLS disables zero copy: all of the bytes become none, and 2 CPU copies come back",
        measured=f"{_range(share, '.0%')} become {_range(share_left, '.0%')}, {_range(copies)} CPU copies",
        verdict=_verdict(_all_are(share, 1) and _all_are(share_left, 0) and _all_are(copies, 2)),
    )


def _all_are(values: list[float], expected: float) -> bool:
    return bool(values) and all(abs(value - expected) <= _TOLERANCE * max(expected, 1) for value in values)


def _verdict(holds: bool) -> Verdict:
    return Verdict.HOLDS if holds else Verdict.CONTRADICTED


def _range(values: list[float], form: str = ".2f") -> str:
    shown = sorted({format(value, form): value for value in values}.items(), key=lambda item: item[1])
    if not shown:
        return "nothing"
    return shown[0][0] if len(shown) == 1 else f"{shown[0][0]} to {shown[-1][0]}"
