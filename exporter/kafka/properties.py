"""Parse Java's .properties files, by the grammar of java.util.Properties.load."""

import re
from collections.abc import Iterator

_ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|.|\Z)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANKS = " \t\f"
_KEY_AND_VALUE = re.compile(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)


def parse_properties(text: str) -> dict[str, str]:
    """Values by key; the last value of a repeated key counts. Any text is valid."""
    properties = {}
    for line in _logical_lines(text):
        match = _KEY_AND_VALUE.fullmatch(line)
        if match:  # else the line is a lone backslash
            properties[_unescape(match[1])] = _unescape(match[2])
    return properties


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without leading blanks and without comments; a line that ends with a backslash is joined with the next."""
    pending: list[str] = []
    for natural_line in re.split(r"\r\n|\r|\n", text):
        line = natural_line.lstrip(_BLANKS)
        if not pending and (not line or line[0] in "#!"):
            continue
        if _ends_with_backslash(line):
            pending.append(line[:-1])
            continue
        yield "".join([*pending, line])
        pending = []
    if pending:
        yield "".join(pending)


def _ends_with_backslash(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescape(text: str) -> str:
    return _ESCAPED.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _CONTROLS.get(code, code)
