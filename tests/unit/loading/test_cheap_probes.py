"""Probes that are on by default only where they cost little and lose nothing."""

import pytest

from exporter.loading import cheap_probes
from exporter.loading.preemption import Preemption
from exporter.loading.probes import select
from exporter.model import ProbeState

(USERCOPY,) = select(["usercopy"])
(BLOCK,) = select(["block"])
PREEMPTS = Preemption(True, "preempt=full")
DOES_NOT = Preemption(False, "preempt=voluntary")
PREEMPTIBLE = frozenset({"fentry", "fexit"})


def state(attach_method: str, *, preemptible: bool = False) -> ProbeState:
    return ProbeState("usercopy", "__check_object_size", attach_method, attached=True, preemptible=preemptible)


def test_only_the_cheap_hook_and_only_where_it_loses_nothing() -> None:
    assert [hook.attach_method for hook in cheap_probes.limit(USERCOPY, frozenset()).hooks] == ["fentry"]
    assert cheap_probes.limit(USERCOPY, PREEMPTIBLE).hooks == ()


@pytest.mark.parametrize(
    ("attached", "kernel", "why"),
    [
        (state("fentry"), DOES_NOT, ""),
        (
            None,
            PREEMPTS,
            "fentry would lose runs, because the kernel preempts itself (preempt=full), and a kprobe costs",
        ),
        (state("kprobe"), PREEMPTS, "fentry would lose runs, because the kernel preempts itself (preempt=full), and a"),
        (state("fentry", preemptible=True), PREEMPTS, "fentry would lose runs, because"),
        (state("kprobe"), DOES_NOT, "this kernel refuses fentry, and a kprobe costs more"),
        (ProbeState("usercopy", "f", "fentry", attached=False, reason="no ftrace"), DOES_NOT, "no ftrace"),
    ],
)
def test_why_it_is_off(attached: ProbeState | None, kernel: Preemption, why: str) -> None:
    reason = cheap_probes.why_off(USERCOPY, attached, kernel)
    assert reason.startswith(why)
    assert bool(reason) == bool(why)


def test_others_are_never_left_off() -> None:
    assert cheap_probes.why_off(BLOCK, None, PREEMPTS) == ""
