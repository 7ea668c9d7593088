"""``copy-exporter demo`` put together: probes, experiment, claims, report."""

import contextlib

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from exporter.counting.maps import KernelMaps
from exporter.demo.claims import exit_status, judge
from exporter.demo.experiment import Results, run_experiment
from exporter.demo.options import DemoOptions
from exporter.demo.report import print_json, print_report
from exporter.errors import KernelError
from exporter.host.signals import TerminationSignals
from exporter.loading.handover import LoadedProbes, LoadRequest, load

_LOADER_SECONDS = 60
_MAIN_PROBE = "syscalls"
_DISK_PROBE = "block"
_ORDER = LoadRequest(probes=(_MAIN_PROBE, "exits", _DISK_PROBE))
_INTERRUPTED = 130


def run_demo(options: DemoOptions, console: Console) -> int:
    """See :func:`exporter.demo.run`."""
    try:
        with TerminationSignals() as signals, signals.deferred():
            results = _measured(options, console, signals)
    except (KeyboardInterrupt, SystemExit):
        Console(stderr=True).print("the demo was interrupted: its file and its processes are gone")
        return _INTERRUPTED
    claims = judge(results.measurements)
    show = print_json if options.json else print_report
    show(results, claims, console)
    return exit_status(claims)


def _measured(options: DemoOptions, console: Console, signals: TerminationSignals) -> Results:
    quiet = options.json or not console.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("loading the probes", total=1)
        with signals.allowed():
            handover = load(_ORDER, _LOADER_SECONDS)
        with contextlib.closing(handover):
            return run_experiment(
                options,
                KernelMaps(handover.maps, handover.programs),
                _sees_disk(handover),
                lambda description, part: bar.update(task, description=description, completed=part),
                signals,
            )


def _sees_disk(handover: LoadedProbes) -> bool:
    states = {state.name: state for state in handover.probes}
    main = states[_MAIN_PROBE]
    if not main.attached:
        raise KernelError(f"the probe {main.name} cannot attach to {main.hook}: {main.reason}; {main.remedy}")
    return states[_DISK_PROBE].attached
