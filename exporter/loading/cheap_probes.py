"""Probes that are on by default only where a cheap attach method loses no runs, and why they are off elsewhere."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from exporter.loading.preemption import Preemption
from exporter.loading.probes import Probe
from exporter.model import ProbeState


def limit(probe: Probe, preemptible: AbstractSet[str]) -> Probe:
    """The probe with the hooks that it may have without its flag: none where they are ``preemptible``."""
    allowed = {probe.cheap_attach_method} - preemptible
    return replace(probe, hooks=tuple(hook for hook in probe.hooks if hook.attach_method in allowed))


def why_off(probe: Probe, state: ProbeState | None, preemption: Preemption) -> str:
    """Why the probe is off by default on this kernel; empty where it is on.

    ``state``: how it was attached, with or without its flag; None where :func:`limit` has left it no hook.
    """
    method = probe.cheap_attach_method
    if not method or (state and state.attached and state.attach_method == method and not state.preemptible):
        return ""
    if state and not state.attached:
        return state.reason
    if preemption.preempts:
        why = f"{method} would lose runs, because the kernel preempts itself ({preemption.why})"
        return f"{why}, and a kprobe costs more"
    return f"this kernel refuses {method}, and a kprobe costs more"
