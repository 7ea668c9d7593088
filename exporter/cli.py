"""The command line: flags become one :class:`Config`, errors become one line on standard error."""

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from exporter import __version__, config, logs
from exporter.counting.series import Limits
from exporter.demo import DemoOptions, parse_size
from exporter.demo import run as run_demo
from exporter.demo.options import DEFAULT_CHUNK, DEFAULT_SIZE, format_size
from exporter.errors import CopyExporterError, UsageError
from exporter.host import capabilities
from exporter.kernel.probe_maps import MAPS
from exporter.loading.probes import PROBES
from exporter.model import DEFAULT_SAMPLING_RATE, SYSCALL_HOOKS
from exporter.revision import REVISION
from exporter.top.options import TopOptions, parse_url

if TYPE_CHECKING:
    from rich.console import Console

    from exporter.service.live_process import LiveProcess

_DEFAULT_COMMAND = "serve"
_LIMITS = tuple(field.name for field in fields(Limits))
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True}


class _Parsed(click.ParamType[Any]):
    """Converts the text of a flag by a function that takes the flag's name (for its error) and the text."""

    def __init__(self, name: str, parse: Callable[[str, str], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> object:  # noqa: ARG002
        """Convert ``value`` unless it is converted already (click passes it again)."""
        if not isinstance(value, str) or param is None:
            return value
        return self._parse(param.opts[0], value)


def _number(min_value: int, max_value: int) -> _Parsed:
    return _Parsed("number", lambda flag, text: config.parse_whole_number(flag, text, min_value, max_value))


def _choice(*values: str) -> _Parsed:
    def parse(flag: str, text: str) -> str:
        if text not in values:
            raise UsageError(f"{flag}={text} must be one of {', '.join(values)}")
        return text

    return _Parsed("choice", parse)


@click.group(context_settings=_HELP)
@click.version_option(__version__, message=f"copy-exporter %(version)s (revision {REVISION})")
def cli() -> None:
    """Export to Prometheus how each process moves data: copied by the CPU, by zero copy or by DMA.

    The default command is serve.
    """


@cli.command(context_settings=_HELP)
@click.option(
    "--web.listen-address",
    "listen",
    multiple=True,
    default=(":10435",),
    type=_Parsed("host:port", config.parse_address),
    help="Address to listen on. Repeatable.",
)
@click.option(
    "--web.telemetry-path",
    "telemetry_path",
    default="/metrics",
    type=_Parsed("path", config.parse_path),
    help="Path of the metrics.",
)
@click.option(
    "--web.systemd-socket",
    "systemd_socket",
    is_flag=True,
    help="Serve on the sockets that systemd passes (a socket unit) instead of --web.listen-address.",
)
@click.option(
    "--web.config.file",
    "web_config_file",
    default="",
    show_default=False,
    type=_Parsed("FILE", config.parse_file),
    metavar="FILE",
    help="File with TLS, users and headers, in the format of Prometheus's own exporters (docs/web.md).",
)
@click.option(
    "--web.max-requests",
    "max_requests",
    default="200",
    type=_number(1, 500),
    help="Maximum number of scrapes at the same time; others are answered with status 503.",
)
@click.option(
    "--web.disable-ui",
    "disable_ui",
    is_flag=True,
    help="Serve a plain page at / instead of the live page, and nothing below /api.",
)
@click.option(
    "--path.procfs",
    "procfs",
    default="/proc",
    type=_Parsed("DIR", config.parse_file),
    metavar="DIR",
    help="Mount point of the host's procfs.",
)
@click.option(
    "--watch.port",
    "ports",
    multiple=True,
    type=_number(1, 65535),
    metavar="PORT",
    help="Count this local TCP port separately (label port). Repeatable.",
)
@click.option(
    "--process.include",
    "include",
    type=_Parsed("regex", config.parse_regex),
    help="Only processes with a match in their name (comm) get series; the others count in the host totals alone.",
)
@click.option(
    "--process.exclude",
    "exclude",
    type=_Parsed("regex", config.parse_regex),
    help="Processes with a match in their name (comm) get no series; they count in the host totals alone.",
)
@click.option(
    "--process.max",
    "process_max",
    default="500",
    type=_number(0, 100_000),
    help="Maximum number of processes with series of their own, beside brokers; the others count in pid=other.",
)
@click.option(
    "--process.linger",
    "linger_ns",
    default="2m",
    type=_Parsed("duration", config.parse_duration),
    help="How long the series of a process stay after its exit, unless a living process needs the place; use more than "
    "two scrape intervals.",
)
@click.option(
    "--process.labels",
    "by_comm",
    default="pid,comm",
    type=_Parsed("labels", config.parse_labels),
    help="pid,comm for series per process, comm for series per process name.",
)
@click.option(
    "--process.comms.max",
    "comms_max",
    default="200",
    type=_number(0, 100_000),
    help="Maximum number of names in pid=other (or with --process.labels=comm); the others count as comm=other. A name "
    "that has not moved for an hour gives way.",
)
@click.option(
    "--sampling.rate",
    "sampling_rate",
    default=str(DEFAULT_SAMPLING_RATE),
    type=_number(1, 10_000),
    help="Samples per second per CPU for copy_cpu_seconds_total; --no-probe.copy_time disables sampling.",
)
@click.option(
    "--kafka/--no-kafka",
    default=True,
    help="Find Kafka brokers and watch their ports; a child process with their rights reads their files.",
)
@click.option(
    "--kafka.brokers.max",
    "brokers_max",
    default="16",
    type=_number(1, 1000),
    help="Maximum number of brokers that are watched, and that have series of their own even when --process.max is "
    "reached. Beyond it, the user with the most brokers loses the newest ones.",
)
@click.option(
    "--kafka.topics.max",
    "kafka_topics_max",
    default="500",
    type=_number(0, 100_000),
    help="Maximum number of topics (or partitions) with series of their own; the others count in topic=other.",
)
@click.option(
    "--kafka.ports.max",
    "kafka_ports_max",
    default="64",
    type=_number(1, 1024),
    help="Maximum number of ports of brokers that are watched; --watch.port is not limited.",
)
@click.option(
    "--kafka.partitions", "kafka_partitions", is_flag=True, help="Count each partition of a topic separately."
)
@click.option("--strict", is_flag=True, help="Exit if any probe cannot be attached.")
@click.option(
    "--user",
    "account",
    default="nobody",
    type=_Parsed("user", config.parse_user),
    help="User to run as after start-up.",
)
@click.option(
    "--capabilities.keep",
    "keep_capabilities",
    default="none",
    type=_Parsed("names", config.parse_capabilities),
    help="Capabilities to keep after start-up, separated by commas, or none.",
)
@click.option(
    "--probe.syscalls.hook",
    "syscall_hook",
    default=SYSCALL_HOOKS[0],
    metavar="|".join(SYSCALL_HOOKS),
    type=_choice(*SYSCALL_HOOKS),
    help="Where system calls are counted: at the functions of those that move data, or at the exit of all. "
    "auto is the exit; with functions other system calls cost nothing (docs/accounting.md).",
)
@click.option(
    "--probe.stats", "probe_stats", is_flag=True, help="Measure the CPU time of the probes; makes each run slower."
)
@click.option(
    "--log.level",
    "log_level",
    default="info",
    metavar="|".join(logs.LEVELS),
    type=_choice(*logs.LEVELS),
    help="Least severe log lines to print.",
)
@click.option(
    "--log.format",
    "log_format",
    default="logfmt",
    metavar="|".join(logs.FORMATS),
    type=_choice(*logs.FORMATS),
    help="Format of the log lines.",
)
def serve(log_level: str, log_format: str, **flags: Any) -> None:
    """Attach the probes and serve the metrics."""
    logs.set_up(log_level, log_format)
    from exporter.service.serve import serve as run  # noqa: PLC0415  # the other commands need no web server

    run(_config(flags))


def _probe_flags(command: click.Command) -> None:
    for probe in PROBES:
        name = f"probe_{probe.name}"
        where_cheap = " By default where this costs little and loses nothing." if probe.cheap_attach_method else ""
        flag = click.Option(
            [f"--probe.{probe.name}/--no-probe.{probe.name}", name],
            default=None if probe.cheap_attach_method else probe.by_default,
            help=f"Count {probe.counts}.{where_cheap}",
        )
        command.params.append(flag)


def _map_flags(command: click.Command) -> None:
    for spec in MAPS.values():
        if spec.flag:
            flag = click.Option(
                [spec.flag, f"map_{spec.name}"],
                default=str(spec.entries),
                type=_number(1, 16_777_216),
                help=f"Maximum number of {spec.holds}.",
            )
            command.params.append(flag)


_probe_flags(serve)
_map_flags(serve)


@cli.command(context_settings=_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> int:
    """Check which probes this kernel supports.

    Attaches each probe once, and shows why one cannot be attached and how to fix that.
    """
    from exporter import doctor as doctor_module  # noqa: PLC0415

    diagnosis = doctor_module.examine()
    if as_json:
        print(doctor_module.as_json(diagnosis))
    else:
        doctor_module.show(diagnosis, _console())
    return diagnosis.exit_status


@cli.command(context_settings=_HELP)
@click.option(
    "--size",
    default=format_size(DEFAULT_SIZE),
    type=_Parsed("size", parse_size),
    help="Size of the file that is sent.",
)
@click.option(
    "--chunk",
    default=format_size(DEFAULT_CHUNK),
    type=_Parsed("size", parse_size),
    help="Bytes requested per call.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def demo(size: int, chunk: int, as_json: bool) -> int:
    """Run the zero-copy experiment on this host.

    Sends a file by several methods, shows by the counts of the probes what sendfile saves and what TLS takes away, and
    compares that with an article, whose name and address it prints (docs/demo.md).
    """
    return run_demo(DemoOptions(size=size, chunk=chunk, json=as_json), _console())


@cli.command(context_settings=_HELP)
@click.argument("target", metavar="[URL]", required=False, type=_Parsed("URL", parse_url))
@click.option("--user", default="", show_default=False, help="User of the exporter; with --password-file.")
@click.option(
    "--password-file",
    default="",
    show_default=False,
    type=_Parsed("FILE", config.parse_file),
    metavar="FILE",
    help="File with the password of --user.",
)
@click.option(
    "--ca-file",
    default="",
    show_default=False,
    type=_Parsed("FILE", config.parse_file),
    metavar="FILE",
    help="Certificates in PEM format that sign the exporter's; the default is those of the system.",
)
@click.option("--once", is_flag=True, help="Print one table and exit; the default where there is no terminal.")
@click.option("--json", is_flag=True, help="Print the rates of one second as JSON and exit.")
def top(**flags: Any) -> int:
    """Show in the terminal what the processes of a host move at the moment.

    URL is that of a running exporter. The default is http://127.0.0.1:10435/; if no exporter runs there and the user is
    root, top attaches probes until it ends.
    """
    from exporter.top.command import run  # noqa: PLC0415  # 0.1 s that the start of the others would wait for

    return run(TopOptions(**flags), _start_probes)


def _start_probes() -> "LiveProcess":
    """Start a process with the probes that serve attaches without flags."""
    from exporter.service.live_process import LiveProcess  # noqa: PLC0415  # only where no exporter runs

    defaults = serve.make_context("serve", []).params
    return LiveProcess(_config({name: value for name, value in defaults.items() if not name.startswith("log_")}))


def _console() -> "Console":
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else 140)


def _config(flags: dict[str, Any]) -> config.Config:
    procfs = flags["procfs"]
    if not os.path.exists(os.path.join(procfs, "self", "stat")):
        raise UsageError(f"--path.procfs={procfs} is not a procfs; mount the host's there, or omit the flag")
    by_flag = {probe.name: flags.pop(f"probe_{probe.name}") for probe in PROBES}
    map_entries = {spec.name: flags.pop(f"map_{spec.name}") for spec in MAPS.values() if spec.flag}
    limits = Limits(**{name: flags.pop(name) for name in _LIMITS})
    return config.Config(
        limits=limits,
        probes=tuple(name for name, is_on in by_flag.items() if is_on),
        probes_if_cheap=tuple(name for name, is_on in by_flag.items() if is_on is None),
        map_entries=map_entries,
        **flags,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``copy-exporter``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not given or (given[0] not in cli.commands and given[0] not in ("-h", "--help", "--version")):
            _check_flag(*given[:1])
            given.insert(0, _DEFAULT_COMMAND)
        capabilities.raise_permitted()
        status = cli.main(given, prog_name="copy-exporter", standalone_mode=False)
    except click.UsageError as error:
        _end(f"{error.format_message().rstrip('.')}; `copy-exporter {given[0]} --help` shows what it takes", 2)
    except click.ClickException as error:
        _end(error.format_message(), 2)
    except CopyExporterError as error:
        _end(str(error), error.exit_status)
    except (KeyboardInterrupt, click.Abort):
        _end("interrupted", 130)
    sys.exit(status if isinstance(status, int) else 0)


def _check_flag(word: str = "-") -> None:
    """Raise :class:`UsageError` for a first word that is neither a command nor a flag of the default command."""
    if word.startswith("-"):
        return
    similar = difflib.get_close_matches(word, cli.commands, n=1)
    question = f"did you mean {similar[0]}? " if similar else ""
    raise UsageError(f"{word} is not a command; {question}Commands: {', '.join(cli.commands)}")


def _end(message: str, status: int) -> None:
    print(f"copy-exporter: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
