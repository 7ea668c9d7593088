"""The picture of hops."""

from dataclasses import replace

from exporter.top.picture import draw, legend

from .sample_rates import COPY, FROM_DISK, READ, SENDFILE

HOPS = [READ, SENDFILE, FROM_DISK, COPY]


def test_the_picture() -> None:
    assert [line.text for line in draw(HOPS, 110, ascii_only=True)] == [
        "   disk           page cache        user memory           tcp",
        "     |                 |..................................>|      8.0 MiB/s zero copy",
        "     |                 |================>|                 |      2.0 MiB/s copied by the CPU",
        "     |---------------->|                 |                 |      1.0 MiB/s DMA",
        "     |                 |<==              |                 |      512 B/s copied by the CPU",
    ]


def test_each_arrow_has_its_mechanism() -> None:
    assert [line.mechanism for line in draw(HOPS, 110, ascii_only=False)] == ["", "zero_copy", "cpu", "dma", "cpu"]


def test_it_has_other_characters_where_the_terminal_has_them() -> None:
    text = "\n".join(line.text for line in draw(HOPS, 110, ascii_only=False))
    assert all(character in text for character in "│▶◀═┄─")
    assert legend(ascii_only=True).isascii()
    assert "┄┄┄ zero copy" in legend(ascii_only=False)


def test_hops_of_several_calls_are_one_arrow() -> None:
    lines = draw([READ, replace(READ, syscall="pread64")], 110, ascii_only=True)
    assert [line.text.rpartition("  ")[2] for line in lines[1:]] == ["4.0 MiB/s copied by the CPU"]


def test_an_arrow_to_the_left() -> None:
    (_, line) = draw([replace(READ, source="user", destination="page_cache")], 80, ascii_only=True)
    assert "|<===" in line.text


def test_a_narrow_terminal_has_sentences() -> None:
    assert [line.text for line in draw(HOPS, 60, ascii_only=True)][:2] == [
        "page cache -> tcp: 8.0 MiB/s zero copy",
        "page cache -> user memory: 2.0 MiB/s copied by the CPU",
    ]


def test_every_width() -> None:
    for width in range(20, 200):
        for line in draw(HOPS, width, ascii_only=False):
            assert len(line.text) <= max(width, 60)


def test_nothing_moves() -> None:
    assert [line.text for line in draw([replace(READ, bytes_per_second=0.0)], 80, ascii_only=True)] == [
        "Nothing moves."
    ]


def test_what_another_exporter_may_name() -> None:
    (names, line) = draw([replace(READ, source="\x1b[2J" + 50 * "orbit", mechanism="beam\n")], 80, ascii_only=True)
    assert "?[2Jorbitor" in names.text
    assert line.text.endswith("2.0 MiB/s beam?")
