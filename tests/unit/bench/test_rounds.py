from bench.rounds import Measured, Round, undisturbed
from bench.variants import FLOOR, NOTHING


def round_with(nothing: int, floor: int) -> Round:
    return Round({}, {"nothing": nothing, "floor": floor})


def test_a_round_with_somebody_elses_programs_is_told_from_the_others():
    alone, disturbed, alone_too = round_with(0, 1), round_with(5, 1), round_with(0, 1)
    assert undisturbed([alone, disturbed, alone_too]) == [alone, alone_too]


def test_no_round_may_be_undisturbed():
    assert not undisturbed([round_with(0, 2), round_with(1, 1)])


def test_what_a_variant_adds_is_against_the_same_round():
    measured = Measured({(NOTHING.name, "read"): [100, 900], (FLOOR.name, "read"): [190, 990]})
    assert measured.figure(NOTHING, "read").median == 500
    assert measured.added(FLOOR, "read").median == 90
