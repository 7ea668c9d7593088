"""Versions of Kafka in the names of jars."""

import pytest

from exporter.kafka.versions import kafka_version


@pytest.mark.parametrize(
    ("jars", "expected"),
    [
        (["/opt/kafka/libs/kafka_2.13-3.9.0.jar"], "3.9.0"),
        (["/x/kafka-streams-4.0.0.jar", "/x/kafka-clients-7.5.1-ccs.jar"], "7.5.1-ccs"),
        (["/x/kafka-server-common-4.1.0.jar"], "4.1.0"),
        (["/x/kafka.jar"], ""),
        ([], ""),
    ],
)
def test_names_of_jars(jars: list[str], expected: str) -> None:
    assert kafka_version(jars) == expected
