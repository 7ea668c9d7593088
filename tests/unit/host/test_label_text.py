"""Text for labels: valid, short, and different where it was different."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.host.label_text import MAX_CHARACTERS, label_text

KUBERNETES_CGROUP = f"/kubepods.slice/kubepods-burstable.slice/{'p' * 60}.slice/cri-containerd-{'0' * 64}.scope"
ANY_TEXT = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize("text", ["", "cat", "é\u2028\r\n", "🐘", KUBERNETES_CGROUP, "t" * 249, "ü" * MAX_CHARACTERS])
def test_ordinary_text_is_whole(text: str) -> None:
    assert label_text(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ud800", "\ufffd"),
        ("a\udfffb", "a\ufffdb"),
        ("\ud800\ud800x", "\ufffd\ufffdx"),
        ("\ud83d\udc18", "🐘"),
    ],
)
def test_surrogates(text: str, expected: str) -> None:
    assert label_text(text) == expected


@given(ANY_TEXT | st.integers(0, 3).flatmap(lambda n: st.just("\ud800ab" * 100 * n)))
def test_any_text_becomes_valid_short_and_stays_so(text: str) -> None:
    result = label_text(text)
    assert result.encode().decode() == result
    assert len(result) <= MAX_CHARACTERS
    assert label_text(result) == result


def test_long_texts_that_differ_stay_different() -> None:
    texts = ["x" * 131_000 + str(number) for number in range(100)] + ["x" * 257, "x" * 258]
    results = {label_text(text) for text in texts}
    assert len(results) == len(texts)
    assert {len(result) for result in results} == {MAX_CHARACTERS}
    assert all(result.startswith("x" * 200) for result in results)
