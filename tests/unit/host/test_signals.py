"""Signals become exceptions, also when Python loses the first one, and wait where they are deferred."""

import signal
import weakref
from collections.abc import Iterator

import pytest

from exporter.host.signals import TerminationSignals

EXCEPTIONS = {signal.SIGTERM: SystemExit, signal.SIGINT: KeyboardInterrupt}


class Thing:
    """Something to refer to."""


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in EXCEPTIONS]


@pytest.fixture
def signals() -> Iterator[TerminationSignals]:
    before = {number: signal.getsignal(number) for number in EXCEPTIONS}
    yield TerminationSignals()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_without_a_signal_the_handlers_are_restored(signals: TerminationSignals) -> None:
    before = handlers()
    with signals, signals.deferred(), signals.allowed():
        assert handlers() != before
    assert handlers() == before


@pytest.mark.parametrize("number", EXCEPTIONS)
def test_raised_at_once(signals: TerminationSignals, number: signal.Signals) -> None:
    passed = []

    def interrupted() -> None:
        with signals:
            signal.raise_signal(number)
            passed.append("the rest")

    with pytest.raises(EXCEPTIONS[number]):
        interrupted()
    assert not passed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", EXCEPTIONS)
def test_not_lost_in_a_callback(signals: TerminationSignals, number: signal.Signals) -> None:
    passed = []

    def interrupted() -> None:
        with signals:
            thing = Thing()
            reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
            del thing
            assert reference() is None
            passed.append("after the callback")
            signals.check()

    with pytest.raises(EXCEPTIONS[number]):
        interrupted()
    assert passed


@pytest.mark.parametrize("number", EXCEPTIONS)
def test_not_lost_when_python_replaces_it(signals: TerminationSignals, number: signal.Signals) -> None:
    def replace() -> None:
        try:
            signal.raise_signal(number)
        except BaseException as error:
            raise RuntimeError("where a class is created") from error

    with pytest.raises(EXCEPTIONS[number]), signals:
        replace()


def test_other_exceptions_pass(signals: TerminationSignals) -> None:
    with pytest.raises(ValueError, match="trouble"), signals:
        raise ValueError("trouble")


def test_ignored_while_the_process_ends(signals: TerminationSignals) -> None:
    with pytest.raises(SystemExit), signals:
        signal.raise_signal(signal.SIGTERM)
    for number in EXCEPTIONS:
        signal.raise_signal(number)


def test_deferred_until_the_end(signals: TerminationSignals) -> None:
    passed = []

    def work() -> None:
        with signals, signals.deferred():
            signal.raise_signal(signal.SIGINT)
            passed.append("the middle")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert passed == ["the middle"]


def test_deferred_until_allowed(signals: TerminationSignals) -> None:
    passed = []

    def work() -> None:
        with signals, signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            passed.append("before")
            with signals.allowed():
                passed.append("inside")

    with pytest.raises(SystemExit):
        work()
    assert passed == ["before"]


def test_raised_inside_what_is_allowed(signals: TerminationSignals) -> None:
    with pytest.raises(KeyboardInterrupt), signals, signals.deferred(), signals.allowed():
        signal.raise_signal(signal.SIGINT)


def test_deferred_again_after_what_is_allowed(signals: TerminationSignals) -> None:
    passed = []

    def work() -> None:
        with signals, signals.deferred():
            with signals.allowed():
                passed.append("inside")
            signal.raise_signal(signal.SIGINT)
            passed.append("after")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert passed == ["inside", "after"]


@pytest.mark.parametrize("second", EXCEPTIONS)
def test_a_second_signal_does_not_disturb_the_clean_up(signals: TerminationSignals, second: signal.Signals) -> None:
    passed = []

    def work() -> None:
        with signals, signals.deferred():
            try:
                with signals.allowed():
                    signal.raise_signal(signal.SIGINT)
            finally:
                signal.raise_signal(second)
                passed.append("cleaned up")

    with pytest.raises(EXCEPTIONS[second]):
        work()
    assert passed == ["cleaned up"]
