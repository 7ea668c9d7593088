"""What is said of a probe that cannot be attached."""

import errno
import os
import re

import pytest

from exporter.kernel.btf import UnknownToBtfError
from exporter.kernel.kallsyms import HiddenAddressesError
from exporter.loading.attach import ATTACHERS
from exporter.loading.attach_errors import explain
from exporter.loading.probes import PROBES


@pytest.mark.parametrize(
    ("attach_method", "error", "reason", "remedy"),
    [
        ("kprobe", OSError(errno.EOPNOTSUPP, ""), "built without kprobes", "CONFIG_KPROBE_EVENTS=y"),
        ("fexit", OSError(errno.EBUSY, ""), "builds it without ftrace", "another kernel"),
        ("fexit", OSError(errno.EPERM, "no"), "no programs on kernel functions .*: no$", "lockdown"),
        ("raw_tracepoint", OSError(errno.EPERM, "no"), "^no$", "CAP_BPF"),
        ("raw_tracepoint", OSError(errno.EIO, "odd"), "^odd$", "report it"),
        ("fexit", UnknownToBtfError("function f"), "BTF has no function f", "another kernel"),
        ("perf_event", HiddenAddressesError(), "^/proc/kallsyms shows no addresses$", "CAP_SYSLOG.*kptr_restrict"),
    ],
)
def test_reason_and_remedy(attach_method: str, error: Exception, reason: str, remedy: str):
    why, what_to_do = explain(attach_method, error)
    assert re.search(reason, why)
    assert re.search(remedy, what_to_do)


@pytest.mark.parametrize("attach_method", sorted({hook.attach_method for probe in PROBES for hook in probe.hooks}))
@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.ENOENT, errno.EINVAL, errno.EBUSY])
def test_every_hook_has_words_for_every_error(attach_method: str, number: int):
    assert attach_method in ATTACHERS
    why, what_to_do = explain(attach_method, OSError(number, os.strerror(number)))
    assert why
    assert what_to_do
