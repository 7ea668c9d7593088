"""Parse tables of sockets, and match ports with listeners."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import UNKNOWN, Listener
from exporter.kafka.broker_config import ListenerConfig
from exporter.kafka.listening_sockets import ListeningSocket, match_listeners, parse_listening, unknown_listeners

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0 100 0 0 10 0\n"
MAPPED = "0000000000000000FFFF00000100007F"


def test_a_table() -> None:
    text = HEADER + ROW.format("0100007F:2384", "0A", 51) + ROW.format("0100007F:2385", "01", 52)
    assert parse_listening(text, {51, 52}) == [ListeningSocket("127.0.0.1", 9092, 51)]
    assert parse_listening(text, {50}) == []


def test_a_table_of_ipv6() -> None:
    text = HEADER + ROW.format(f"{0:032X}:2384", "0A", 1) + ROW.format(f"{MAPPED}:2385", "0A", 2)
    assert parse_listening(text, {1, 2}) == [ListeningSocket("::", 9092, 1), ListeningSocket("127.0.0.1", 9093, 2)]


@given(st.text())
def test_arbitrary_text_has_no_listening_socket(text: str) -> None:
    assert parse_listening(HEADER + text, range(1 << 64)) == []


@pytest.mark.parametrize("row", ["zz:2384 x 0A", ":: x 0A", "0100007F:zz x 0A", "01:2384 x 0A", "0100007F x 0A"])
def test_malformed_rows_are_left_out(row: str) -> None:
    assert parse_listening(f"{HEADER}0: {row} 1 2 3 4 5 6 7 8 9\n", range(10)) == []


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_this_kernels_own_table(family: int, address: str) -> None:
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen()
        text = Path("/proc/self/net", "tcp6" if family == socket.AF_INET6 else "tcp").read_text()
        (found,) = parse_listening(text, {os.fstat(listening.fileno()).st_ino})
        assert (found.address, found.port) == listening.getsockname()[:2]


def test_fixed_ports_need_no_socket() -> None:
    found, missing = match_listeners([ListenerConfig("A", "SSL", "", 9092)], [])
    assert (found, missing) == ((Listener("A", "SSL", 9092),), [])


def test_port_0_is_matched_with_the_remaining_socket() -> None:
    configs = [ListenerConfig("A", "SSL", "", 0), ListenerConfig("B", "PLAINTEXT", "", 9093)]
    found, missing = match_listeners(configs, [ListeningSocket("::", 40001, 1), ListeningSocket("::", 9093, 2)])
    assert set(found) == {Listener("A", "SSL", 40001), Listener("B", "PLAINTEXT", 9093)}
    assert missing == []


def test_several_ports_0_are_matched_by_address() -> None:
    configs = [ListenerConfig("A", "SSL", "127.0.0.1", 0), ListenerConfig("B", "PLAINTEXT", "127.0.0.2", 0)]
    found, missing = match_listeners(
        configs, [ListeningSocket("127.0.0.2", 40002, 1), ListeningSocket("127.0.0.1", 40001, 2)]
    )
    assert set(found) == {Listener("A", "SSL", 40001), Listener("B", "PLAINTEXT", 40002)}
    assert missing == []


def test_ambiguous_ports_have_an_unknown_listener() -> None:
    configs = [ListenerConfig("A", "SSL", "", 0), ListenerConfig("B", "PLAINTEXT", "", 0)]
    found, missing = match_listeners(configs, [ListeningSocket("::", 1, 1), ListeningSocket("::", 2, 2)])
    assert set(found) == {Listener(UNKNOWN, UNKNOWN, 1), Listener(UNKNOWN, UNKNOWN, 2)}
    assert missing == configs


def test_a_broker_that_does_not_listen_yet() -> None:
    configs = [ListenerConfig("A", "SSL", "", 0)]
    assert match_listeners(configs, []) == ((), configs)


def test_a_listener_on_a_host_name() -> None:
    configs = [ListenerConfig("A", "SSL", "localhost", 0)]
    found, missing = match_listeners(configs, [ListeningSocket("::", 1, 1), ListeningSocket("127.0.0.1", 2, 2)])
    assert (found, missing) == ((Listener("A", "SSL", 2),), [])


def test_unknown_listeners_have_ports_alone() -> None:
    sockets = [ListeningSocket("::", 9093, 1), ListeningSocket("127.0.0.1", 9092, 2), ListeningSocket("::1", 9092, 3)]
    assert unknown_listeners(sockets) == (Listener(UNKNOWN, UNKNOWN, 9092), Listener(UNKNOWN, UNKNOWN, 9093))


def test_two_listeners_on_one_port_are_named_together() -> None:
    both = [ListenerConfig("A", "PLAINTEXT", "127.0.0.1", 9092), ListenerConfig("B", "PLAINTEXT", "::1", 9092)]
    mixed = [both[0], ListenerConfig("B", "SSL", "::1", 9092)]
    assert match_listeners(both, [])[0] == (Listener("A,B", "PLAINTEXT", 9092),)
    assert match_listeners(mixed, [])[0] == (Listener("A,B", UNKNOWN, 9092),)
