"""Passwords: which are accepted, and how much CPU a comparison takes."""

import asyncio
import time

import bcrypt
import pytest

from exporter.web.auth import parse_credentials
from exporter.web.passwords import PasswordVerifier
from tests.unit.web.fake_client import FakeClient

COST = 8


def hashed(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(COST)).decode()


USERS = (("alice", hashed(b"wonder")), ("bob", hashed(b"land")))


def verify(verifier: PasswordVerifier, name: str, password: bytes, users: tuple[tuple[str, str], ...] = USERS) -> bool:
    return asyncio.run(verifier.verify(FakeClient(), users, name, password))


@pytest.mark.parametrize("times", [1, 2])
def test_correct_and_wrong_passwords(times):
    verifier = PasswordVerifier()
    for _ in range(times):
        assert verify(verifier, "alice", b"wonder")
        assert verify(verifier, "bob", b"land")
        for name, password in (("alice", b"land"), ("bob", b""), ("", b""), ("carol", b"wonder"), ("alice", b"w\0")):
            assert not verify(verifier, name, password)


def test_a_replaced_password_is_refused():
    verifier = PasswordVerifier()
    assert verify(verifier, "alice", b"wonder")
    changed = (("alice", hashed(b"new")),)
    assert not verify(verifier, "alice", b"wonder", changed)
    assert verify(verifier, "alice", b"new", changed)
    assert not verify(verifier, "bob", b"land", changed)


def test_a_removed_user_is_refused_although_another_has_the_same_hash():
    same_hash = (("alice", USERS[0][1]), ("bob", USERS[0][1]))
    verifier = PasswordVerifier()
    assert verify(verifier, "bob", b"wonder", same_hash)
    assert not verify(verifier, "bob", b"wonder", same_hash[:1])


def test_only_the_first_72_bytes_are_compared():
    users = (("alice", hashed(b"x" * 72)),)
    assert verify(PasswordVerifier(), "alice", b"x" * 100, users)
    assert not verify(PasswordVerifier(), "alice", b"x" * 71, users)


def cpu_seconds(verifier: PasswordVerifier, name: str, *passwords: bytes) -> float:
    times = []
    for password in passwords:
        start = time.process_time()
        verify(verifier, name, password)
        times.append(time.process_time() - start)
    return min(times)


def test_an_unknown_user_costs_as_much_as_a_wrong_password_and_a_remembered_password_little():
    verifier = PasswordVerifier()
    passwords = [b"no%d" % number for number in range(5)]
    wrong, unknown = cpu_seconds(verifier, "alice", *passwords), cpu_seconds(verifier, "nobody", *passwords)
    assert 0.5 < unknown / wrong < 2
    for name, password in (("alice", b"wonder"), ("alice", b"no"), ("nobody", b"no")):
        assert cpu_seconds(verifier, name, password, password) < wrong / 3


def test_a_new_user_is_accepted_although_the_password_was_wrong_before():
    same_hash = (("alice", USERS[0][1]), ("bob", USERS[0][1]))
    verifier = PasswordVerifier()
    assert not verify(verifier, "bob", b"wonder", same_hash[:1])
    assert verify(verifier, "bob", b"wonder", same_hash)


@pytest.mark.parametrize(
    ("header", "credentials"),
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
def test_credentials(header, credentials):
    assert parse_credentials(header) == credentials
