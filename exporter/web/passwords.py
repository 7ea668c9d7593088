"""Compares passwords with bcrypt hashes, and remembers the results."""

import hmac
import os
from collections import OrderedDict

import bcrypt

from exporter.web.comparison_queue import Client, ComparisonQueue

_MAX_CORRECT = 100
_MAX_WRONG = 1000
_MAX_PASSWORD_BYTES = 72  # bcrypt ignores the rest of a password, and newer versions of the library refuse it

Users = tuple[tuple[str, str], ...]
"""Names and bcrypt hashes."""


class PasswordVerifier:
    """Verifies names and passwords. Remembers correct and wrong ones as digests with a random key.

    A remembered password does not wait for comparisons.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._correct = _RecentDigests(_MAX_CORRECT)
        self._wrong = _RecentDigests(_MAX_WRONG)
        self._comparisons = ComparisonQueue()

    async def verify(self, client: Client, users: Users, name: str, password: bytes) -> bool:
        """Whether ``password`` is that of user ``name``. An unknown name takes as long as a wrong password.

        Raises :class:`TooManyComparisonsError` when it has not been compared.
        """
        known_hash = dict(users).get(name)
        hashed = known_hash or users[0][1]
        digest = self._digest(name, known_hash or "", hashed, password)
        if digest in self._correct:
            return True
        if digest in self._wrong:
            return False

        def compare() -> bool:
            is_correct = _matches(password, hashed) and known_hash is not None
            (self._correct if is_correct else self._wrong).add(digest)
            return is_correct

        return await self._comparisons.run(client, name, digest, compare)

    def _digest(self, name: str, known_hash: str, hashed: str, password: bytes) -> bytes:
        # A removed user differs from the first user with the same hash in known_hash.
        parts = (name.encode(), known_hash.encode(), hashed.encode(), password)
        return hmac.digest(self._key, b"\0".join(parts), "sha256")


class _RecentDigests:
    """The digests that were used last. For two threads: one adds, both look up."""

    def __init__(self, max_digests: int) -> None:
        self._max_digests = max_digests
        self._digests: OrderedDict[bytes, None] = OrderedDict()  # least recently used first

    def __contains__(self, digest: bytes) -> bool:
        try:
            self._digests.move_to_end(digest)
        except KeyError:
            return False
        return True

    def add(self, digest: bytes) -> None:
        self._digests[digest] = None
        if len(self._digests) > self._max_digests:
            self._digests.popitem(last=False)


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], hashed.encode())
    except ValueError:  # the password contains a zero byte
        return False
