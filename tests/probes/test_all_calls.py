"""Every system call of the kernel is counted, or listed among those that are not: a new one is noticed."""

import re
from pathlib import Path

import pytest

from exporter.kernel.btf import Btf
from exporter.loading.syscall_functions import all_syscall_functions
from exporter.model import Operation
from tests.support.paths import ROOT
from tests.support.requirements import skip_for_kernel

FUNCTION = re.compile(r"\b__(?:x64|arm64)_sys_(?:ia32_)?(\w+)$", re.MULTILINE)
"""The entry of a system call: arch/x86/include/asm/syscall_wrapper.h."""
OTHER_CALLS = set(re.sub("#.*", "", Path(__file__).with_name("other_calls.txt").read_text()).split())


def not_counted() -> set[str]:
    """The first table of the section of docs/accounting.md."""
    section = (ROOT / "docs/accounting.md").read_text().split("## Not counted")[1]
    rows = re.findall(r"^\| (.*?) \|", section.split("without a system call")[0], re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(rows[1:])))


def counted() -> set[str]:
    return set(FUNCTION.findall("\n".join(all_syscall_functions(Btf()))))


def test_no_call_is_in_two_lists() -> None:
    operations = {operation.name.lower() for operation in Operation}
    assert operations & (not_counted() | OTHER_CALLS) == set()
    assert not_counted() & OTHER_CALLS == set()


@pytest.mark.usefixtures("bpf")
def test_each_call_of_this_kernel_is_in_a_list() -> None:
    calls = set(FUNCTION.findall(Path("/proc/kallsyms").read_text()))
    if not calls:
        skip_for_kernel("symbols of system calls")
    assert calls - counted() - not_counted() - OTHER_CALLS == set()
