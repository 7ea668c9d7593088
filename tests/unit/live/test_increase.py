"""What was counted between two snapshots, whatever processes come and go."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.live.increase import increase
from exporter.live.snapshot import Ended
from exporter.live.tally import tally
from exporter.model import Identity, Row
from tests.support.sample_data import COPYING, READ, SENDFILE

from .snapshots import ONE, TWO, counts, snapshot


def test_a_process_that_counts_on():
    before = snapshot(0, {ONE: counts((READ, 1, 10)), TWO: counts((READ, 5, 50))})
    now = snapshot(1, {ONE: counts((READ, 3, 40), (SENDFILE, 1, 7)), TWO: before.processes[TWO]})
    counted = increase(before, now)
    assert counted.processes == {ONE: {READ: (2, 30), SENDFILE: (1, 7)}}
    assert counted.total == {READ: (2, 30), SENDFILE: (1, 7)}


def test_a_process_that_exits_leaves_only_what_it_counted_since():
    before = snapshot(0, {ONE: counts((READ, 4, 40))}, counts((READ, 100, 1000)))
    now = snapshot(1, {}, counts((READ, 105, 1050)))
    counted = increase(before, now)
    assert counted.processes == {}
    assert counted.total == {READ: (1, 10)}


def test_a_process_that_starts_and_exits_between_two_snapshots():
    counted = increase(snapshot(0, {}), snapshot(1, {}, counts((READ, 2, 20))))
    assert counted.total == {READ: (2, 20)}


def test_a_process_that_ends_keeps_its_name():
    """Whether or not its rows are still in the map, and whether or not it was seen before."""
    before = snapshot(0, {ONE: counts((READ, 4, 40))}, counts((READ, 100, 1000)))
    exited = counts((READ, 107, 1070))
    ended = {ONE: Ended("cp", counts((READ, 5, 50))), Identity(3, 3): Ended("cp", counts((READ, 2, 20)))}
    now = snapshot(1, {TWO: counts((SENDFILE, 1, 7))}, exited, ended=ended, exits={TWO: "gzip"})
    counted = increase(before, now)
    assert counted.processes == {}
    assert counted.ended == {"cp": {READ: (3, 30)}, "gzip": {SENDFILE: (1, 7)}}
    assert counted.total == {READ: (3, 30), SENDFILE: (1, 7)}
    assert counted.without(counted.ended.values()) == {}
    assert counted.busiest_ended(1) == ["cp"]


def test_rows_that_end_while_their_process_lives():
    """Their port has stopped to be watched: they move to the rows of exited processes, without the port."""
    before = snapshot(0, {ONE: counts((READ, 4, 40), (SENDFILE, 9, 90))})
    now = snapshot(1, {ONE: counts((READ, 5, 50))}, counts((SENDFILE._replace(port=0), 10, 95)))
    counted = increase(before, now)
    assert counted.processes == {ONE: {READ: (1, 10)}}
    assert tally(counted.total).zero_copy == 5
    assert tally(counted.without([counted.processes[ONE]])).moved == 5


def test_rows_that_come_after_the_exit():
    """The process is there again, with rows that begin at zero."""
    before = snapshot(0, {ONE: counts((READ, 4, 40), (SENDFILE, 1, 1))})
    now = snapshot(1, {ONE: counts((READ, 1, 5))}, counts((READ, 4, 40), (SENDFILE, 1, 1)))
    assert increase(before, now).total == {READ: (1, 5)}


def test_the_busiest_move_most_bytes_and_the_rest_is_without_them():
    now = snapshot(1, {ONE: counts((READ, 1, 10), (COPYING, 1, 10**9)), TWO: counts((READ, 1, 20))})
    counted = increase(snapshot(0, {}), now)
    assert counted.busiest(1) == [TWO]
    assert counted.busiest(9) == [TWO, ONE]
    assert counted.without([counted.processes[TWO]]) == {READ: (1, 10), COPYING: (1, 10**9)}
    assert counted.without(counted.processes.values()) == {}


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["count", "exit"])), max_size=30))
def test_the_total_is_what_was_counted(events: list[tuple[int, str]]):
    """Processes count and exit in any order; the sum of all increases is the truth."""
    live: dict[int, dict[Row, tuple[int, int]]] = {}
    exited = (0, 0)
    truth = total = (0, 0)
    last = snapshot(0, {})
    for second, (pid, event) in enumerate(events, start=1):
        if event == "count":
            calls, amount = live.setdefault(pid, {READ: (0, 0)})[READ]
            live[pid] = {READ: (calls + 1, amount + pid)}
            truth = truth[0] + 1, truth[1] + pid
        elif pid in live:
            gone = live.pop(pid)[READ]
            exited = exited[0] + gone[0], exited[1] + gone[1]
        processes = {Identity(pid, pid): counts((READ, *rows[READ])) for pid, rows in live.items()}
        now = snapshot(second, processes, counts((READ, *exited)))
        addition = increase(last, now).total.get(READ, (0, 0))
        total, last = (total[0] + addition[0], total[1] + addition[1]), now
    assert total == truth
