"""The help shows only what the parser accepts."""

import re
from collections.abc import Iterator

import click
import pytest

from exporter.cli import cli

COMMANDS = sorted(cli.commands)
_CHOICES = re.compile(r"^ +(--[\w.-]+) (\w+(?:\|\w+)+)", re.MULTILINE)


def help_of(command: str) -> str:
    return cli.commands[command].get_help(click.Context(cli.commands[command], info_name=command))


def shown_values() -> Iterator[tuple[str, str, str]]:
    """Each value that the help of a command shows as one of several, with the flag."""
    for command in COMMANDS:
        for flag, values in _CHOICES.findall(help_of(command)):
            for value in values.split("|"):
                yield command, flag, value


def test_the_help_shows_values() -> None:
    assert {flag for _, flag, _ in shown_values()} == {"--log.level", "--log.format", "--probe.syscalls.hook"}


@pytest.mark.parametrize(("command", "flag", "value"), list(shown_values()))
def test_a_value_that_the_help_shows_is_accepted(command: str, flag: str, value: str) -> None:
    assert value in cli.commands[command].make_context(command, [flag, value]).params.values()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_default_that_the_help_shows_is_accepted(command: str) -> None:
    shown = re.sub(r"\s+", " ", help_of(command))
    for option in cli.commands[command].params:
        if isinstance(option, click.Option) and option.default and not option.is_flag and option.show_default:
            (text,) = option.default if option.multiple else (option.default,)
            assert f"[default: {text}]" in shown
            cli.commands[command].make_context(command, [option.opts[0], text])
