"""Signals that come while Python does something of its own."""

import signal
import weakref
from collections.abc import Iterator

import pytest

from exporter.host.signals import TerminationSignals

ENDS = {signal.SIGTERM: SystemExit, signal.SIGINT: KeyboardInterrupt}


class Thing:
    """Something to refer to."""


@pytest.fixture
def endings() -> Iterator[TerminationSignals]:
    before = {number: signal.getsignal(number) for number in ENDS}
    yield TerminationSignals()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDS)
def test_raised_at_once(endings: TerminationSignals, number: signal.Signals) -> None:
    endings.check()
    with pytest.raises(ENDS[number]):
        signal.raise_signal(number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", ENDS)
def test_not_lost_in_a_callback(endings: TerminationSignals, number: signal.Signals) -> None:
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
    del thing
    assert reference() is None
    with pytest.raises(ENDS[number]):
        endings.check()


@pytest.mark.parametrize("number", ENDS)
def test_not_lost_when_something_else_is_made_of_it(endings: TerminationSignals, number: signal.Signals) -> None:
    def turn() -> None:
        try:
            signal.raise_signal(number)
        except BaseException as error:
            raise RuntimeError("where a class is made") from error

    with pytest.raises(ENDS[number]), endings:
        turn()


def test_other_trouble_comes_through(endings: TerminationSignals) -> None:
    with pytest.raises(ValueError, match="trouble"), endings:
        raise ValueError("trouble")
