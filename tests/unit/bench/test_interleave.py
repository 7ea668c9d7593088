from bench.interleave import Measurements, Round, undisturbed
from bench.variants import FLOOR, NOTHING


def round_with(nothing: int, floor: int) -> Round:
    return Round({}, {"nothing": nothing, "floor": floor})


def test_rounds_with_programs_of_others_are_disturbed():
    alone, disturbed, alone_too = round_with(0, 1), round_with(5, 1), round_with(0, 1)
    assert undisturbed([alone, disturbed, alone_too]) == [alone, alone_too]


def test_all_rounds_may_be_disturbed():
    assert not undisturbed([round_with(0, 2), round_with(1, 1)])


def test_what_a_variant_adds_is_the_difference_within_a_round():
    measured = Measurements({(NOTHING.name, "read"): [100, 900], (FLOOR.name, "read"): [190, 990]})
    assert measured.figure(NOTHING, "read").median == 500
    assert measured.added(FLOOR, "read").median == 90
