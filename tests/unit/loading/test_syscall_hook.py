"""Which hooks count system calls, by the flag, the kernel's preemption and what it allows."""

import pytest

from exporter.errors import KernelError
from exporter.kernel.btf import Btf
from exporter.loading import syscall_hook
from exporter.loading.preemption import Preemption
from exporter.loading.probes import select
from exporter.loading.syscall_hook import choose
from exporter.model import ProbeState

PREEMPTS = Preemption(True, "preempt=full", 3)
DOES_NOT = Preemption(False, "preempt=voluntary", 3)


def methods(kernel: Preemption, setting: str) -> list[str]:
    (probe,) = select(["syscalls"])
    return [hook.attach_method for hook in choose(Btf(), kernel, setting).limit(probe).hooks]


@pytest.fixture
def _functions_allow_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscall_hook, "_refusal", lambda _: "")


@pytest.mark.usefixtures("_functions_allow_programs")
def test_functions_only_by_the_flag() -> None:
    assert methods(DOES_NOT, "auto") == ["raw_tracepoint", "kretprobe.multi"]
    assert methods(PREEMPTS, "auto") == ["raw_tracepoint", "kretprobe.multi"]


def test_sys_exit_where_functions_refuse_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscall_hook, "_refusal", lambda _: "no ftrace")
    assert methods(DOES_NOT, "auto") == ["raw_tracepoint", "kretprobe.multi"]
    assert choose(Btf(), DOES_NOT, "auto").why == "no ftrace"


@pytest.mark.usefixtures("_functions_allow_programs")
@pytest.mark.parametrize("kernel", [PREEMPTS, DOES_NOT])
def test_the_flag_decides_alone(kernel: Preemption) -> None:
    assert methods(kernel, "functions") == ["fexit.syscalls", "kretprobe.multi"]
    assert methods(kernel, "sys_exit") == ["raw_tracepoint"]


def test_a_low_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscall_hook.resource, "getrlimit", lambda _: (100, 100))
    hook = choose(Btf(), DOES_NOT, "auto")
    assert "and it is 100 (ulimit -n)" in hook.why
    with pytest.raises(KernelError, match=r"^--probe.syscalls.hook=functions: .* it is 100 \(ulimit -n\); raise the"):
        choose(Btf(), DOES_NOT, "functions")


@pytest.mark.usefixtures("_functions_allow_programs")
def test_the_sentence_names_hook_and_reason() -> None:
    hook = choose(Btf(), DOES_NOT, "functions")
    functions = ProbeState("syscalls", "system calls", "fexit.syscalls", attached=True)
    assert hook.describe(functions) == (
        "the functions of the system calls that move data; other system calls cost nothing: "
        "set by --probe.syscalls.hook"
    )
    sys_exit = ProbeState("syscalls", "sys_exit", "raw_tracepoint", attached=True)
    assert "preempt=full" in choose(Btf(), PREEMPTS, "auto").describe(sys_exit)
    multi = ProbeState("syscalls", "system calls", "kretprobe.multi", attached=True)
    assert choose(Btf(), PREEMPTS, "auto").describe(multi) == (
        "the functions of the system calls that move data; other system calls cost nothing: "
        "kretprobe.multi, which loses no runs where this kernel has it"
    )
