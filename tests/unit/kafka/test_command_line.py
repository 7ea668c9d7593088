"""Command lines of brokers, and others that look similar."""

import pytest

from exporter.kafka.command_line import BrokerCommand, parse_broker_command

SHIPPED = [
    "java",
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-Djava.awt.headless=true",
    "-Xlog:gc*:file=/opt/kafka/bin/../logs/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M",
    "-Dlog4j2.configurationFile=/opt/kafka/bin/../config/log4j2.yaml",
    "-cp",
    "/opt/kafka/libs/a.jar:/opt/kafka/libs/b.jar",
    "kafka.Kafka",
    "/opt/kafka/config/server.properties",
]
"""The command that kafka-run-class.sh executes."""


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (SHIPPED, BrokerCommand("/opt/kafka/config/server.properties")),
        (["/usr/lib/jvm/17/bin/java", "kafka.Kafka", "a.properties"], BrokerCommand("a.properties")),
        (
            ["java", "--add-opens", "java.base/java.nio=ALL-UNNAMED", "@flags", "kafka.Kafka", "a b.properties"],
            BrokerCommand("a b.properties"),
        ),
        (  # Strimzi
            [
                "/usr/lib/jvm/jre-17/bin/java",
                "-Xms2g",
                "-cp",
                "/opt/kafka/libs/*",
                "kafka.Kafka",
                "/tmp/strimzi.properties",
            ],
            BrokerCommand("/tmp/strimzi.properties"),
        ),
        (  # Confluent's image
            ["java", "-Xmx1G", "-cp", "/usr/bin/../share/java/kafka/*", "kafka.Kafka", "/etc/kafka/kafka.properties"],
            BrokerCommand("/etc/kafka/kafka.properties"),
        ),
        (  # Confluent's packages until 5.4
            [
                "java",
                "-cp",
                "/usr/share/java/kafka/*",
                "io.confluent.support.metrics.SupportedKafka",
                "/etc/kafka/server.properties",
            ],
            BrokerCommand("/etc/kafka/server.properties"),
        ),
        (
            ["java", "kafka.Kafka", "a", "--override", "node.id=3", "--override=log.dirs=/x=y"],
            BrokerCommand("a", {"node.id": "3", "log.dirs": "/x=y"}),
        ),
        (["java", "kafka.Kafka"], BrokerCommand("")),
        (["java", "kafka.Kafka", "--override", "node.id=3"], BrokerCommand("", {"node.id": "3"})),
    ],
)
def test_brokers(arguments: list[str], command: BrokerCommand) -> None:
    assert parse_broker_command(arguments) == command


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["java"],
        ["java", "-cp", "kafka.Kafka"],
        ["java", "-Dmain=kafka.Kafka", "org.example.Main"],
        ["java", "org.apache.kafka.connect.cli.ConnectDistributed", "kafka.Kafka"],
        ["java", "kafka.tools.StorageTool", "format"],
        ["java", "-jar", "app.jar", "kafka.Kafka"],
        ["/bin/bash", "/opt/kafka/bin/kafka-server-start.sh", "server.properties"],
    ],
)
def test_other_command_lines(arguments: list[str]) -> None:
    assert parse_broker_command(arguments) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["java", "com.cloudera.kafka.wrap.Kafka", "a.properties"],
        ["java", "-p", "libs", "-m", "kafka/kafka.Kafka", "a.properties"],
        ["java", "--source", "17", "kafka.Kafka", "a.properties"],
        ["java", "org.tanukisoftware.wrapper.WrapperSimpleApp", "kafka.Kafka", "a.properties"],
        ["jsvc", "-cp", "libs", "kafka.Kafka", "a.properties"],
        ["/opt/kafka/kafka.Kafka", "start", "--config", "a.properties"],
    ],
)
def test_other_ways_to_start_a_broker(arguments: list[str]) -> None:
    assert parse_broker_command(arguments) == BrokerCommand("a.properties")


@pytest.mark.parametrize(
    "arguments",
    [
        ["java", "kafka.Kafka", "--version"],
        ["java", "kafka.Kafka", "--help"],
        ["/opt/kafka/kafka.Kafka", "setup"],
        ["java", "org.tanukisoftware.wrapper.WrapperSimpleApp", "x.Main", "kafka.Kafka"],
    ],
)
def test_commands_that_are_no_brokers(arguments: list[str]) -> None:
    assert parse_broker_command(arguments) is None
