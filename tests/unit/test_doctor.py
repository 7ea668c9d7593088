"""What doctor prints for a given diagnosis."""

import io
import json

from rich.console import Console

from exporter.doctor import Diagnosis, as_json, show
from exporter.model import ProbeState

REFUSED = [
    ProbeState(name, "f", "fexit", attached=False, reason="there is no f", remedy="another kernel")
    for name in ("filemap_read", "pipe_read")
]
ATTACHED = ProbeState("pipe_write", "pipe_write", "fexit", attached=True, preemptible=True)
DIAGNOSIS = Diagnosis("1.2", "x86_64", (), (*REFUSED, ATTACHED))


def shown(diagnosis: Diagnosis = DIAGNOSIS) -> str:
    text = io.StringIO()
    show(diagnosis, Console(file=text, width=200))
    return text.getvalue()


def test_a_shared_reason_is_printed_once():
    assert shown().count("there is no f; what to do: another kernel") == 1
    assert "missing: copy_kernel_copied_bytes_total from pipe to user (1)" in shown()


def test_a_probe_that_is_off_by_default_is_no_fault():
    text = io.StringIO()
    show(DIAGNOSIS, Console(file=text, width=200, force_terminal=True, color_system="standard"))
    assert "off by default: missing: copy_kernel_copied_bytes_total" in text.getvalue()
    assert "\x1b[31m" not in text.getvalue()


def test_a_missing_probe_is_red():
    missing = ProbeState("sendfile", "sys_enter_sendfile64", "tracepoint", attached=False, reason="none", remedy="none")
    text = io.StringIO()
    console = Console(file=text, width=200, force_terminal=True, color_system="standard")
    show(Diagnosis("1.2", "x86_64", (), (missing,)), console)
    assert "\x1b[31mno" in text.getvalue()


def test_what_a_hook_misses_is_printed():
    assert "bytes that pipe_write copied from user to pipe (2)" in shown().replace("anon_", "")
    assert "(2) inexact on a busy CPU: this kernel preempts the program" in shown()


def test_in_json_every_probe_has_its_own_reason():
    probes = json.loads(as_json(DIAGNOSIS))["probes"]
    assert [probe["reason"] for probe in probes] == ["there is no f", "there is no f", ""]
    assert "copy_exporter_probe_missed_runs_total" in probes[2]["note"]
    assert not probes[0]["note"]


def test_why_a_probe_is_off_on_this_kernel_but_on_by_default_on_others():
    usercopy = ProbeState("usercopy", "__check_object_size", "kprobe", attached=True)
    on = shown(Diagnosis("1.2", "x86_64", (), (usercopy,)))
    assert "off by default" not in on
    off = shown(Diagnosis("1.2", "x86_64", (), (usercopy,), {"usercopy": "the kernel preempts itself"}))
    assert "off by default: calls of the kernel's own copy_to_user and copy_from_user (1)" in off
    assert "off by default, because the kernel preempts itself" in " ".join(off.split())
