"""What a large scrape takes at once: Python keeps most of it, in pieces that nothing else fits into."""

import tracemalloc

from exporter.metrics.text_format import encode
from exporter.model import Operation
from tests.support.sample_data import READ, SampleHost
from tests.unit.metrics.small_host import registry_of

PROCESSES = 400
OPERATIONS = [operation for operation in Operation if operation][:8]
MAX_BYTES_PER_SAMPLE = 120
"""Beside the text. It took 340 while all parts and lines were kept until the last line was made."""


def test_the_memory_of_a_scrape():
    host = SampleHost()
    for pid in range(1000, 1000 + PROCESSES):
        process = host.start(pid, "java")
        for operation in OPERATIONS:
            host.count(process, READ._replace(operation=operation), 1 << 40)
    registry = registry_of(host)
    encode(registry, openmetrics=False)  # what is kept between scrapes is there now
    tracemalloc.start()
    try:
        text = encode(registry, openmetrics=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    samples = sum(not line.startswith(b"#") for line in text.splitlines())
    assert samples > PROCESSES * 2 * len(OPERATIONS)
    assert (peak - len(text)) / samples < MAX_BYTES_PER_SAMPLE
