"""Flags: what they become, and the one line that an unusable one ends with."""

import pytest

from exporter import cli, config
from exporter.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":10435", config.Address("", 10435)),
        ("127.0.0.1:9", config.Address("127.0.0.1", 9)),
        ("[::1]:9", config.Address("::1", 9)),
        ("localhost:0", config.Address("localhost", 0)),
    ],
)
def test_addresses(text, address):
    assert config.parse_address("--web.listen-address", text) == address
    assert str(address) == text


@pytest.mark.parametrize(("text", "seconds"), [("2m", 120), ("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("0", 0)])
def test_durations(text, seconds):
    assert config.parse_duration("--process.linger", text) == seconds * 1e9


def test_capabilities():
    assert config.parse_capabilities("--capabilities.keep", "none") == ()
    assert config.parse_capabilities("--capabilities.keep", "cap_bpf,CAP_PERFMON") == ("CAP_BPF", "CAP_PERFMON")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (config.parse_address, "10435"),
        (config.parse_address, "127.0.0.1:99999"),
        (config.parse_address, "::1:9"),
        (config.parse_duration, "2 minutes"),
        (config.parse_duration, "-1s"),
        (config.parse_regex, "("),
        (config.parse_labels, "pid"),
        (config.parse_path, "metrics"),
        (config.parse_path, "/openapi.json"),
        (config.parse_path, "/ui/metrics"),
        (config.parse_capabilities, "CAP_EVERYTHING"),
    ],
)
def test_what_cannot_be_used_is_named(parse, text):
    with pytest.raises(UsageError) as caught:
        parse("--flag", text)
    line = str(caught.value)
    assert line.startswith(f"--flag={text}")
    assert "\n" not in line


@pytest.mark.parametrize("text", ["many", "", "-1", "1.5", "100001", "१"])
def test_numbers_out_of_range_are_named(text):
    with pytest.raises(UsageError, match=f"^--process.max={text}.* between 0 and 100000$"):
        config.parse_whole_number("--process.max", text, 0, 100_000)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--process.max=many"], 2, "--process.max=many must be a whole number"),
        (["serve", "--path.procfs=/nowhere"], 2, "--path.procfs=/nowhere is not a procfs"),
        (["--log.format=xml"], 2, "--log.format=xml must be one of logfmt, json"),
        (["--sampling.rate=0"], 2, "--sampling.rate=0 must be a whole number between 1 and 10000"),
        (["--no-such-flag"], 2, "--no-such-flag"),
        (["serve", "surplus"], 2, "surplus"),
    ],
)
def test_bad_input_is_one_line(arguments, status, words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    complaint = capsys.readouterr().err
    assert caught.value.code == status
    assert words in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(("arguments", "words"), [(["--version"], "copy-exporter 0."), (["--help"], "serve")])
def test_questions_are_answered(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 0
    assert words in capsys.readouterr().out
