"""Configurations as operators write them, and as nobody does."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import UNKNOWN
from exporter.kafka.broker_config import Endpoint, Settings, read_settings
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


def settings(text: str) -> Settings:
    return read_settings(parse_properties(text))


def test_what_kafka_ships() -> None:
    assert settings(SHIPPED) == Settings(
        node_id="1",
        listeners=(Endpoint("PLAINTEXT", "PLAINTEXT", "", 9092), Endpoint("CONTROLLER", "PLAINTEXT", "", 9093)),
        log_directories=("/tmp/kraft-combined-logs",),
        problems=(),
    )


def test_nothing_at_all_is_kafkas_defaults() -> None:
    assert settings("") == Settings("", (Endpoint("PLAINTEXT", "PLAINTEXT", "", 9092),), ("/tmp/kafka-logs",), ())


def test_an_operators_own() -> None:
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
    assert settings(text) == Settings(
        "12",
        (
            Endpoint("INTERNAL", "SASL_PLAINTEXT", "0.0.0.0", 9094),
            Endpoint("EXTERNAL", "SSL", "2001:db8::1", 9095),
            Endpoint("LOOP", "PLAINTEXT", "127.0.0.1", 0),
        ),
        ("/data/1", "/data/2", "/fast"),
        (),
    )


def test_a_controllers_listener_without_a_map() -> None:
    text = "listeners=SSL://:9092,CTL://:9093\ncontroller.listener.names=CTL"
    assert [one.protocol for one in settings(text).listeners] == ["SSL", "PLAINTEXT"]


def test_a_listener_that_the_map_leaves_out() -> None:
    text = "listeners=A://:9092\nlistener.security.protocol.map=B:SSL"
    assert settings(text).listeners == (Endpoint("A", UNKNOWN, "", 9092),)


@pytest.mark.parametrize("listener", ["9092", "A:9092", "A://h:port", "A://h:70000", "://:9092", "A://::1:9092"])
def test_a_listener_that_is_none(listener: str) -> None:
    read = settings(f"listeners={listener},B://:1")
    assert [one.name for one in read.listeners] == ["B"]
    assert read.problems == (f"listeners has {listener}, which is not NAME://HOST:PORT",)


def test_what_a_provider_fills_in_is_not_known() -> None:
    read = settings("listeners=A://:${env:PORT}\nlog.dirs=${file:/x:dirs}\nnode.id=3")
    assert (read.node_id, read.listeners, read.log_directories) == ("3", (), ())
    assert read.problems == (
        "listeners=A://:${env:PORT} is filled in by a config provider",
        "log.dirs=${file:/x:dirs} is filled in by a config provider",
    )


def test_a_map_that_a_provider_fills_in() -> None:
    read = settings("listeners=SSL://:1\nlistener.security.protocol.map=${env:MAP}")
    assert read.listeners == (Endpoint("SSL", UNKNOWN, "", 1),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", {"a": "b"}),
        ("  a  =  b  ", {"a": "b  "}),
        ("a:b\n! no\n # no\n\nc d", {"a": "b", "c": "d"}),
        ("a", {"a": ""}),
        ("a\\=b = c\\\\", {"a=b": "c\\"}),
        ("a = b\\\n    c\\\r\n  d", {"a": "bcd"}),
        ("a=1\na=2", {"a": "2"}),
        ("a\\ b=\\u0041\\t\\x", {"a b": "A\tx"}),
        ("a=b=c:d", {"a": "b=c:d"}),
        ("a=b\\\n# this goes on", {"a": "b# this goes on"}),
        ("a=b\\", {"a": "b"}),
        ("a=\\u12", {"a": "u12"}),
    ],
)
def test_properties(text: str, expected: dict[str, str]) -> None:
    """By the grammar of java.util.Properties.load."""
    assert parse_properties(text) == expected


SAFE = string.ascii_letters + string.digits + ".-_"
ESCAPABLE = SAFE + " =:#!\\\t\n"


def escaped(text: str) -> str:
    """As java.util.Properties.store writes a key or a value."""
    return "".join(f"\\u{ord(one):04x}" if one not in SAFE else one for one in text)


@given(st.dictionaries(st.text(ESCAPABLE, min_size=1), st.text(ESCAPABLE)))
def test_what_java_stores_is_what_is_read(properties: dict[str, str]) -> None:
    text = "\n".join(f"{escaped(key)}={escaped(value)}" for key, value in properties.items())
    assert parse_properties(text) == properties


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    read = settings(text)
    assert read.log_directories or read.problems


NAMES = st.text(string.ascii_uppercase + string.digits + "_", min_size=1, max_size=20)


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(["SSL", "PLAINTEXT"]), st.integers(0, 65535)), min_size=1))
def test_any_listeners(listeners: dict[str, tuple[str, int]]) -> None:
    protocols = ",".join(f"{name}:{protocol}" for name, (protocol, _) in listeners.items())
    addresses = " , ".join(f"{name.lower()}://host:{port}" for name, (_, port) in listeners.items())
    read = settings(f"listener.security.protocol.map={protocols}\nlisteners={addresses}")
    assert read.problems == ()
    assert {one.name: (one.protocol, one.port) for one in read.listeners} == listeners
