"""Configurations as Kafka ships them, as operators write them, and malformed ones."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import UNKNOWN
from exporter.kafka.broker_config import BrokerConfig, ListenerConfig, parse_broker_config
from exporter.kafka.properties import parse_properties

SHIPPED = """\
# The role of this server. Setting this puts us in KRaft mode
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
log.dirs=/tmp/kraft-combined-logs
"""


def parsed(text: str) -> BrokerConfig:
    return parse_broker_config(parse_properties(text))


def test_the_shipped_file() -> None:
    assert parsed(SHIPPED) == BrokerConfig(
        node_id="1",
        listeners=(
            ListenerConfig("PLAINTEXT", "PLAINTEXT", "", 9092),
            ListenerConfig("CONTROLLER", "PLAINTEXT", "", 9093),
        ),
        log_directories=("/tmp/kraft-combined-logs",),
        problems=(),
        roles="broker,controller",
    )


def test_an_empty_file_has_kafkas_defaults() -> None:
    assert parsed("") == BrokerConfig(
        "", (ListenerConfig("PLAINTEXT", "PLAINTEXT", "", 9092),), ("/tmp/kafka-logs",), ()
    )


def test_a_file_with_spaces_continuations_and_mixed_case() -> None:
    text = """\
        broker.id : 12
        listeners = internal://0.0.0.0:9094, \\
                    EXTERNAL://[2001:db8::1]:9095,\\
                    LOOP://127.0.0.1:0
        listener.security.protocol.map=INTERNAL:SASL_PLAINTEXT, external:ssl,LOOP:PLAINTEXT
        log.dirs = /data/1, /data/2
        log.dir = /not/this
        metadata.log.dir=/fast
    """
    assert parsed(text) == BrokerConfig(
        "12",
        (
            ListenerConfig("INTERNAL", "SASL_PLAINTEXT", "0.0.0.0", 9094),
            ListenerConfig("EXTERNAL", "SSL", "2001:db8::1", 9095),
            ListenerConfig("LOOP", "PLAINTEXT", "127.0.0.1", 0),
        ),
        ("/data/1", "/data/2", "/fast"),
        (),
    )


def test_a_controllers_listener_without_a_map() -> None:
    text = "listeners=SSL://:9092,CTL://:9093\ncontroller.listener.names=CTL"
    assert [listener.protocol for listener in parsed(text).listeners] == ["SSL", "PLAINTEXT"]


def test_a_listener_that_is_not_in_the_map() -> None:
    text = "listeners=A://:9092\nlistener.security.protocol.map=B:SSL"
    assert parsed(text).listeners == (ListenerConfig("A", UNKNOWN, "", 9092),)


@pytest.mark.parametrize("text", ["9092", "A:9092", "A://h:port", "A://h:70000", "://:9092"])
def test_malformed_listeners_are_problems(text: str) -> None:
    config = parsed(f"listeners={text},B://:1")
    assert [listener.name for listener in config.listeners] == ["B"]
    assert config.problems == (f"listeners has {text}, which is not NAME://HOST:PORT",)


def test_values_of_a_config_provider_are_problems() -> None:
    config = parsed("listeners=A://:${env:PORT}\nlog.dirs=${file:/x:dirs}\nnode.id=3")
    assert (config.node_id, config.listeners, config.log_directories) == ("3", (), ())
    assert config.problems == (
        "listeners=A://:${env:PORT} is set by a config provider",
        "log.dirs=${file:/x:dirs} is set by a config provider",
    )


def test_a_map_of_a_config_provider() -> None:
    config = parsed("listeners=SSL://:1\nlistener.security.protocol.map=${env:MAP}")
    assert config.listeners == (ListenerConfig("SSL", UNKNOWN, "", 1),)


@given(st.text())
def test_any_text_is_accepted(text: str) -> None:
    config = parsed(text)
    assert config.log_directories or config.problems


NAMES = st.text(string.ascii_uppercase + string.digits + "_", min_size=1, max_size=20)


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(["SSL", "PLAINTEXT"]), st.integers(0, 65535)), min_size=1))
def test_any_listeners(listeners: dict[str, tuple[str, int]]) -> None:
    protocols = ",".join(f"{name}:{protocol}" for name, (protocol, _) in listeners.items())
    addresses = " , ".join(f"{name.lower()}://host:{port}" for name, (_, port) in listeners.items())
    config = parsed(f"listener.security.protocol.map={protocols}\nlisteners={addresses}")
    assert config.problems == ()
    assert {listener.name: (listener.protocol, listener.port) for listener in config.listeners} == listeners


def test_an_ipv6_address_without_brackets() -> None:
    """Kafka accepts it."""
    assert parsed("listeners=V6://::1:9092").listeners == (ListenerConfig("V6", UNKNOWN, "::1", 9092),)


def test_host_name_and_port() -> None:
    assert parsed("port=9192\nhost.name=h").old_listener == ListenerConfig("PLAINTEXT", "PLAINTEXT", "h", 9192)
    assert parsed("port=9192\nlisteners=PLAINTEXT://:9092").old_listener is None


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("", "broker"),
        ("process.roles=controller", "controller"),
        ("process.roles=controller, broker", "broker,controller"),
    ],
)
def test_roles(text: str, roles: str) -> None:
    assert parsed(text).roles == roles
