"""Runs the demo: loads the probes, runs the experiment, judges the claims, prints the report."""

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
_REQUEST = LoadRequest(probes=(_MAIN_PROBE, "exits", _DISK_PROBE))
_INTERRUPTED = 130


def run_demo(options: DemoOptions, console: Console) -> int:
    """Run the demo and return its exit status, as :func:`exporter.demo.run` describes it."""
    try:
        with TerminationSignals() as signals, signals.deferred():
            results = _measure(options, console, signals)
    except (KeyboardInterrupt, SystemExit):
        Console(stderr=True).print("the demo was interrupted; its file and its processes are removed")
        return _INTERRUPTED
    claims = judge(results.measurements)
    show = print_json if options.json else print_report
    show(results, claims, console)
    return exit_status(claims)


def _measure(options: DemoOptions, console: Console, signals: TerminationSignals) -> Results:
    quiet = options.json or not console.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("loading the probes", total=1)
        with signals.allowed():
            loaded = load(_REQUEST, _LOADER_SECONDS)
        with contextlib.closing(loaded):
            return run_experiment(
                options,
                KernelMaps(loaded.maps, loaded.programs, loaded.free_slots),
                _sees_disk(loaded),
                lambda description, part: bar.update(task, description=description, completed=part),
                signals,
            )


def _sees_disk(loaded: LoadedProbes) -> bool:
    states = {state.name: state for state in loaded.probes}
    main = states[_MAIN_PROBE]
    if not main.attached:
        raise KernelError(f"probe {main.name} cannot be attached to {main.hook}: {main.reason}; remedy: {main.remedy}")
    return states[_DISK_PROBE].attached
