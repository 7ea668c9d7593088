import os
import signal

import pytest

from exporter.demo.interrupts import Interrupts

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def interrupts():
    before = [signal.getsignal(number) for number in BOTH]
    interrupts = Interrupts()
    with interrupts.caught():
        yield interrupts
    assert [signal.getsignal(number) for number in BOTH] == before


@pytest.mark.parametrize("number", BOTH)
@pytest.mark.usefixtures("interrupts")
def test_at_once(number):
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def told(number: int) -> None:
    os.kill(os.getpid(), number)


def test_held_until_the_end(interrupts):
    passed = []

    def work():
        with interrupts.held():
            told(signal.SIGINT)
            passed.append("the middle")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert passed == ["the middle"]


def test_held_until_let_through(interrupts):
    passed = []

    def work():
        with interrupts.held():
            told(signal.SIGTERM)
            passed.append("before")
            with interrupts.let_through():
                passed.append("inside")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert passed == ["before"]


def test_inside_what_is_let_through(interrupts):
    with pytest.raises(KeyboardInterrupt), interrupts.held(), interrupts.let_through():
        told(signal.SIGINT)


def test_held_again_after_what_is_let_through(interrupts):
    passed = []

    def work():
        with interrupts.held():
            with interrupts.let_through():
                passed.append("inside")
            told(signal.SIGINT)
            passed.append("after")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert passed == ["inside", "after"]


@pytest.mark.parametrize("second", BOTH)
@pytest.mark.usefixtures("interrupts")
def test_only_once(second):
    with pytest.raises(KeyboardInterrupt):
        told(signal.SIGINT)
    told(second)


def test_without_a_signal_nothing_happens(interrupts):
    with interrupts.held(), interrupts.let_through():
        pass
