import pytest

from bench.figures import Figure, Section, Target, differences, figure, markdown, number


def test_a_figure_is_the_median_with_its_quartiles():
    assert figure([5, 1, 3, 2, 4]) == Figure(3, 2, 4)


def test_one_value_is_a_figure_without_spread():
    assert figure([7]) == Figure(7, 7, 7)


def test_differences_are_taken_round_by_round():
    slow_in_the_second_round = [100, 900, 100]
    assert differences([150, 950, 150], slow_in_the_second_round) == Figure(50, 50, 50)


def test_rounds_must_match():
    with pytest.raises(ValueError, match="shorter"):
        differences([1, 2], [1])


@pytest.mark.parametrize(("measured", "met"), [(0.49, True), (0.5, True), (0.51, False)])
def test_a_target_is_met_up_to_its_limit(measured, met):
    assert Target("name", measured, 0.5).met is met


def test_the_row_of_a_missed_target_has_the_word_fail():
    assert Target("a scrape", 1234.5, 100, " ms").row() == ("a scrape", "1,234 ms", "100 ms", "FAIL")


@pytest.mark.parametrize(("value", "shown"), [(0.43721, "0.437"), (77.64, "77.6"), (0, "0"), (23160.0, "23,160")])
def test_numbers_have_three_digits_or_all_before_the_point(value, shown):
    assert number(value) == shown


def test_a_table_is_aligned_markdown():
    assert markdown(("what", "ns"), [("read", "402"), ("getppid", "9")]) == (
        "| what    | ns  |\n|---------|-----|\n| read    | 402 |\n| getppid | 9   |"
    )


def test_a_section_as_json():
    section = Section("title", (), (), (Target("t", 1, 2),), ("note",), {"a": Figure(2, 1, 3), "b": 4})
    assert section.as_json() == {
        "title": "title",
        "figures": {"a": {"median": 2, "low": 1, "high": 3}, "b": 4},
        "targets": [{"name": "t", "measured": 1, "limit": 2, "unit": "", "met": True}],
        "notes": ["note"],
    }
