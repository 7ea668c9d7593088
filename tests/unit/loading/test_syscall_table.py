"""The numbers of 32-bit programs' calls, against a list that others keep: libseccomp's, which apt depends on."""

import ctypes
import re
from pathlib import Path

import pytest

from exporter.model import Operation

TABLE = Path(__file__).parents[3] / "probes/syscall_table.h"
ARCHITECTURES = {"x86": 0x40000003, "arm": 0x40000028}  # AUDIT_ARCH_I386 and AUDIT_ARCH_ARM of linux/audit.h
OTHER_NAMES = {"sendfile64": "sendfile", "send": "sendto", "recv": "recvfrom", "socketcall": "none"}


@pytest.fixture
def libseccomp() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        pytest.skip(str(error))
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    return library


def call_name(library: ctypes.CDLL, architecture: str, number: int) -> str:
    address = library.seccomp_syscall_resolve_num_arch(ctypes.c_uint32(ARCHITECTURES[architecture]), number)
    name = ctypes.string_at(address).decode().removesuffix("_time64")
    return OTHER_NAMES.get(name, name)


def table_of(architecture: str) -> dict[int, str]:
    """The numbers of a table, with the names of the operations that they count as."""
    source = TABLE.read_text().replace("NR_I386_SOCKETCALL,", "102,")
    i386, arm = re.findall(r"#define COMPAT_CALLS\(X\) *\\\n((?:.*\\\n)*.*\n)", source)
    rows = re.findall(r"X\((\d+), (\w+), \w+\)", i386 if architecture == "x86" else arm)
    return {int(number): Operation[operation].name.lower() for number, operation in rows}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_numbers_of_32_bit_calls_are_those_of_their_names(architecture, libseccomp):
    table = table_of(architecture)
    assert len(table) > 30
    assert {number: call_name(libseccomp, architecture, number) for number in table} == table
