"""Passwords: who is let in, and what guessing costs."""

import asyncio
import time

import bcrypt
import pytest

from exporter.web.auth import Passwords, credentials

COST = 8


def hashed(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(COST)).decode()


USERS = (("alice", hashed(b"wonder")), ("bob", hashed(b"land")))


def right(passwords: Passwords, name: str, password: bytes, users: tuple[tuple[str, str], ...] = USERS) -> bool:
    return asyncio.run(passwords.right(users, name, password))


@pytest.mark.parametrize("again", [1, 2])
def test_right_and_wrong(again):
    passwords = Passwords()
    for _ in range(again):
        assert right(passwords, "alice", b"wonder")
        assert right(passwords, "bob", b"land")
        for name, password in (("alice", b"land"), ("bob", b""), ("", b""), ("carol", b"wonder"), ("alice", b"w\0")):
            assert not right(passwords, name, password)


def test_a_password_that_was_changed_no_longer_opens():
    passwords = Passwords()
    assert right(passwords, "alice", b"wonder")
    changed = (("alice", hashed(b"new")),)
    assert not right(passwords, "alice", b"wonder", changed)
    assert right(passwords, "alice", b"new", changed)
    assert not right(passwords, "bob", b"land", changed)


def test_only_the_first_72_bytes_count_as_everywhere():
    users = (("alice", hashed(b"x" * 72)),)
    assert right(Passwords(), "alice", b"x" * 100, users)


def cpu_seconds(passwords: Passwords, name: str, password: bytes) -> float:
    times = []
    for _ in range(5):
        began = time.process_time()
        right(passwords, name, password)
        times.append(time.process_time() - began)
    return min(times)


def test_an_unknown_user_costs_as_much_as_a_wrong_password_and_a_known_one_little():
    passwords = Passwords()
    wrong, unknown = cpu_seconds(passwords, "alice", b"no"), cpu_seconds(passwords, "nobody", b"no")
    assert 0.5 < unknown / wrong < 2
    assert cpu_seconds(passwords, "alice", b"wonder") < wrong / 3


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"Basic YWxpY2U6d29uZGVy", ("alice", b"wonder")),
        (b"basic  YWxpY2U6YTpi", ("alice", b"a:b")),
        (b"Basic", ("", b"")),
        (b"Basic !!!", ("", b"")),
        (b"Basic /////w==", ("", b"")),
        (b"Bearer YWxpY2U6d29uZGVy", ("", b"")),
        (b"", ("", b"")),
    ],
)
def test_credentials(header, found):
    assert credentials(header) == found
