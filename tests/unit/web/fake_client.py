"""A client of the password verifier without a connection."""

from dataclasses import dataclass


@dataclass
class FakeClient:
    address: str = "192.0.2.1"
    is_open: bool = True
    is_waiting: bool = False
