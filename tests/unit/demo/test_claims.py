from dataclasses import replace

import pytest

from exporter.demo.claims import Verdict, exit_status, judge
from exporter.model import RowKind

from .sample_measurements import CHUNKS, READ_WRITE, SENDFILE, SIZE, TLS, confirming_measurements, count, measurement


def verdicts(measurements):
    return {claim.name: claim.verdict for claim in judge(measurements)}


def with_changed(method, rows, cold=False):
    others = [transfer for transfer in confirming_measurements() if transfer.setting != (method, cold)]
    return [*others, measurement(method, rows, cold)]


def test_all_hold():
    claims = judge(confirming_measurements())
    assert {claim.name: claim.measured for claim in claims} == {
        "mode_switches": "4.00 become 2.00",
        "cpu_copies": "2.00 become 0.00",
        "dma": "1.00 becomes 1.00",
        "tls": "100% become 0%, 2.00 CPU copies",
    }
    assert {claim.verdict for claim in claims} == {Verdict.HOLDS}
    assert exit_status(claims) == 0


def test_sendfile_in_two_calls_per_chunk_contradicts():
    twice = {row: count(2 * CHUNKS, SIZE) for row in SENDFILE}
    claims = {claim.name: claim for claim in judge(with_changed("sendfile", twice))}
    assert claims["mode_switches"].verdict is Verdict.CONTRADICTED
    assert claims["mode_switches"].measured == "4.00 become 2.00 to 4.00"
    assert claims["cpu_copies"].verdict is Verdict.HOLDS
    assert exit_status(claims.values()) == 1


def test_sendfile_that_copies_contradicts():
    copying = {row._replace(kind=RowKind.CPU_COPY): amount for row, amount in SENDFILE.items()}
    found = verdicts(with_changed("sendfile", copying))
    assert found["cpu_copies"] is Verdict.CONTRADICTED
    assert found["tls"] is Verdict.CONTRADICTED


def test_copies_that_were_not_seen_contradict():
    half = dict(list(READ_WRITE.items())[:1])
    found = verdicts(with_changed("read+write", half))
    assert found["mode_switches"] is found["cpu_copies"] is Verdict.CONTRADICTED


def test_tls_by_reference_contradicts():
    assert verdicts(with_changed("TLS in user space", SENDFILE))["tls"] is Verdict.CONTRADICTED


def without_disk(measurements, *methods):
    return [
        replace(transfer, rows={row: amount for row, amount in transfer.rows.items() if row.kind is not RowKind.DMA})
        if transfer.setting.method in methods
        else transfer
        for transfer in measurements
    ]


def test_sendfile_that_does_not_read_the_disk_contradicts():
    assert verdicts(without_disk(confirming_measurements(), "sendfile"))["dma"] is Verdict.CONTRADICTED


@pytest.mark.parametrize(
    ("measurements", "reason"),
    [
        (
            [transfer for transfer in confirming_measurements() if not transfer.setting.cold],
            "the file could not be dropped from the page cache",
        ),
        (
            [
                measurement(method, rows, cold, sees_disk=False)
                for method, rows in (("read+write", READ_WRITE), ("sendfile", SENDFILE), ("TLS in user space", TLS))
                for cold in (True, False)
            ],
            "the block probe is not attached",
        ),
    ],
)
def test_dma_that_cannot_be_seen_is_not_checked(measurements, reason):
    claim = next(claim for claim in judge(measurements) if claim.name == "dma")
    assert (claim.verdict, claim.measured) == (Verdict.NOT_CHECKED, reason)
    assert exit_status([claim]) == 0


def test_a_file_system_over_the_network_is_not_checked():
    measurements = without_disk(confirming_measurements(), "read+write", "sendfile", "TLS in user space")
    claim = next(claim for claim in judge(measurements) if claim.name == "dma")
    assert claim.verdict is Verdict.NOT_CHECKED
    assert claim.measured == "0.00 becomes 0.00: not read from a disk of this kernel"


def test_nothing_measured_is_never_a_claim_that_holds():
    assert Verdict.HOLDS not in verdicts([]).values()
