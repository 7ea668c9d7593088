"""Tables of sockets, and which listener a port belongs to."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import UNKNOWN, Listener
from exporter.kafka.broker_config import Endpoint
from exporter.kafka.listening_sockets import ListeningSocket, match_listeners, parse_listening, unknown_listeners

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0 100 0 0 10 0\n"
MAPPED = "0000000000000000FFFF00000100007F"


def test_a_table() -> None:
    text = HEADER + ROW.format("0100007F:2384", "0A", 51) + ROW.format("0100007F:2385", "01", 52)
    assert parse_listening(text) == [ListeningSocket("127.0.0.1", 9092, 51)]


def test_a_table_of_ipv6() -> None:
    text = HEADER + ROW.format(f"{0:032X}:2384", "0A", 1) + ROW.format(f"{MAPPED}:2385", "0A", 2)
    assert parse_listening(text) == [ListeningSocket("::", 9092, 1), ListeningSocket("127.0.0.1", 9093, 2)]


@given(st.text())
def test_nonsense_is_left_out(text: str) -> None:
    assert parse_listening(HEADER + text) == []


@pytest.mark.parametrize("row", ["zz:2384 x 0A", ":: x 0A", "0100007F:zz x 0A", "01:2384 x 0A", "0100007F x 0A"])
def test_rows_of_nonsense_are_left_out(row: str) -> None:
    assert parse_listening(f"{HEADER}0: {row} 1 2 3 4 5 6 7 8 9\n") == []


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_this_kernels_own_table(family: int, address: str) -> None:
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen()
        text = Path("/proc/self/net", "tcp6" if family == socket.AF_INET6 else "tcp").read_text()
        (own,) = [one for one in parse_listening(text) if one.port == listening.getsockname()[1]]
        assert own.address == address


def test_fixed_ports_need_no_socket() -> None:
    found, missing = match_listeners([Endpoint("A", "SSL", "", 9092)], [])
    assert (found, missing) == ((Listener("A", "SSL", 9092),), [])


def test_a_port_that_the_kernel_chose() -> None:
    endpoints = [Endpoint("A", "SSL", "", 0), Endpoint("B", "PLAINTEXT", "", 9093)]
    found, missing = match_listeners(endpoints, [ListeningSocket("::", 40001, 1), ListeningSocket("::", 9093, 2)])
    assert set(found) == {Listener("A", "SSL", 40001), Listener("B", "PLAINTEXT", 9093)}
    assert missing == []


def test_chosen_ports_are_told_apart_by_address() -> None:
    endpoints = [Endpoint("A", "SSL", "127.0.0.1", 0), Endpoint("B", "PLAINTEXT", "127.0.0.2", 0)]
    found, missing = match_listeners(
        endpoints, [ListeningSocket("127.0.0.2", 40002, 1), ListeningSocket("127.0.0.1", 40001, 2)]
    )
    assert set(found) == {Listener("A", "SSL", 40001), Listener("B", "PLAINTEXT", 40002)}
    assert missing == []


def test_what_is_ambiguous_is_not_guessed() -> None:
    endpoints = [Endpoint("A", "SSL", "", 0), Endpoint("B", "PLAINTEXT", "", 0)]
    found, missing = match_listeners(endpoints, [ListeningSocket("::", 1, 1), ListeningSocket("::", 2, 2)])
    assert set(found) == {Listener(UNKNOWN, UNKNOWN, 1), Listener(UNKNOWN, UNKNOWN, 2)}
    assert missing == endpoints


def test_a_broker_that_does_not_listen_yet() -> None:
    endpoints = [Endpoint("A", "SSL", "", 0)]
    assert match_listeners(endpoints, []) == ((), endpoints)


def test_a_listener_on_a_name() -> None:
    endpoints = [Endpoint("A", "SSL", "localhost", 0)]
    found, missing = match_listeners(endpoints, [ListeningSocket("::", 1, 1), ListeningSocket("127.0.0.1", 2, 2)])
    assert (found, missing) == ((Listener("A", "SSL", 2),), [])


def test_without_a_configuration_ports_are_all() -> None:
    own = [ListeningSocket("::", 9093, 1), ListeningSocket("127.0.0.1", 9092, 2), ListeningSocket("::1", 9092, 3)]
    assert unknown_listeners(own) == (Listener(UNKNOWN, UNKNOWN, 9092), Listener(UNKNOWN, UNKNOWN, 9093))
