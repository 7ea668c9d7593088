"""Writes the manual page and the completions of shells into a folder, from the commands and flags of the program."""

import sys
from pathlib import Path

import click

from exporter import __version__
from exporter.cli import cli

FILES = (
    ("/etc/default/copy-exporter", "The flags of the service, in OPTIONS."),
    ("/usr/lib/systemd/system/copy-exporter.service", "The service; it runs as a dynamic user."),
    ("/usr/lib/systemd/system/copy-exporter.socket", "Optional: systemd listens. Set OPTIONS=--web.systemd-socket."),
)


def escaped(text: str) -> str:
    """Text for roff, where a hyphen is typed and copied as such."""
    return text.replace("\\", "\\e").replace("-", "\\-")


def flags(command: click.Command) -> list[click.Option]:
    """The flags of a command, without --help."""
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def words(command: click.Command) -> list[str]:
    """Everything that starts with a hyphen on its command line."""
    return sorted({"--help", *(name for flag in flags(command) for name in (*flag.opts, *flag.secondary_opts))})


def manual() -> str:
    """The manual page, of section 8: commands of the administrator."""
    lines = [f'.TH COPY-EXPORTER 8 "" "copy-exporter {__version__}" "System Administration"']
    lines += [".SH NAME", escaped(f"copy-exporter - {str(cli.help).partition(':')[0].lower()}")]
    lines += [".SH SYNOPSIS", ".B copy\\-exporter", "[COMMAND] [FLAGS]", ".SH COMMANDS"]
    for name, command in cli.commands.items():
        lines += [f".SS {name}", *(escaped(line.strip()) for line in str(command.help).splitlines())]
        context = click.Context(command, info_name=name, show_default=True)
        for flag in flags(command):
            record = flag.get_help_record(context)
            if record:
                lines += [".TP", f".B {escaped(record[0])}", escaped(" ".join(record[1].split()))]
    lines.append(".SH FILES")
    for path, what in FILES:
        lines += [".TP", f".I {escaped(path)}", escaped(what)]
    return "\n".join(lines) + "\n"


def bash() -> str:
    """Completion of commands and flags for bash; files after them."""
    cases = "\n".join(
        f"        {name}) words='{' '.join(words(command))}' ;;" for name, command in cli.commands.items()
    )
    return f"""_copy_exporter() {{
    local words
    case ${{COMP_WORDS[1]}} in
{cases}
        *) words='{" ".join((*cli.commands, "--help", "--version"))}' ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _copy_exporter copy-exporter
"""


def zsh() -> str:
    """Completion of commands and flags for zsh; files after them."""
    cases = "\n".join(f"    {name}) compadd -- {' '.join(words(command))} ;;" for name, command in cli.commands.items())
    return f"""#compdef copy-exporter
if (( CURRENT == 2 )); then
    compadd -- {" ".join((*cli.commands, "--help", "--version"))}
    return
fi
case $words[2] in
{cases}
esac
_files
"""


def fish() -> str:
    """Completion of commands and flags for fish."""
    lines = [f"complete -c copy-exporter -n __fish_use_subcommand -a {name}" for name in cli.commands]
    for name, command in cli.commands.items():
        for word in words(command):
            spelled = f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}"
            lines.append(f"complete -c copy-exporter -n '__fish_seen_subcommand_from {name}' {spelled}")
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    """Write the files that debian/rules installs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("copy-exporter.8", manual()), ("bash", bash()), ("zsh", zsh()), ("fish", fish())):
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
