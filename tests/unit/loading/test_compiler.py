"""The C text that BCC compiles, and the comparison of its structures with the layouts in Python. BCC is not needed."""

import ctypes as ct
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import KernelError
from exporter.kernel.probe_maps import DROPPABLE_MAPS, MAPS
from exporter.loading.compiler import c_text, check_layouts, probes_directory
from exporter.loading.probes import PROBES, select
from exporter.model import Endpoint, Layout

HEADERS = {path.name for path in probes_directory().glob("*.h")}
SOURCES = {path.name for path in probes_directory().glob("*.c")}
DECLARATIONS = re.compile(r'BPF_(?:(?:F_)?TABLE\("\w+", [^;]*|(?:ARRAY(?:_OF_MAPS)?|STACK)\([^;]*)\);')
FILES = re.compile(r'#line 1 "(\S+)"')


def declared(text: str) -> dict[str, str]:
    """The maps of a C text: the name and the number of entries of each."""
    arguments = [declaration.rstrip(");").split(", ") for declaration in DECLARATIONS.findall(text)]
    tables = {words[-2]: words[-1] for words in arguments if words[0].startswith("BPF_TABLE")}
    tables |= {words[-3]: words[-2] for words in arguments if words[0].startswith("BPF_F_TABLE")}
    short = [words for words in arguments if words[0].startswith(("BPF_ARRAY", "BPF_STACK"))]
    return tables | {words[0].split("(")[1]: words[-1] for words in short}


def test_a_c_file_is_a_probe_and_a_header_is_included():
    files = FILES.findall(c_text(PROBES))
    assert sorted(files) == sorted(SOURCES | HEADERS)


def test_headers_come_once_and_before_their_use():
    text = c_text(select(("exits", "syscalls")))
    files = FILES.findall(text)
    assert len(files) == len(set(files))
    assert text.index("struct slot {") < text.index('BPF_F_TABLE("array", u32, struct slot, counts')
    assert '#include "' not in text


def test_lines_keep_their_numbers():
    """So that an error of the compiler names the right line of the right file."""
    directives = re.findall(r'#line (\d+) "(\S+)"\n(?!#line|\n)(.*)', c_text(PROBES))
    wrong = [
        (name, number)
        for number, name, line in directives
        if (probes_directory() / name).read_text().split("\n")[int(number) - 1] != line
    ]
    assert len(directives) > len(HEADERS)
    assert wrong == []


def test_enumerations_are_made_from_python():
    text = c_text(())
    assert f"ENDPOINT_PAGE_CACHE = {Endpoint.PAGE_CACHE.value}" in text
    assert f"DROPPED_FOLDERS = {DROPPABLE_MAPS.index('folders')}" in text


def test_every_map_of_the_table_is_declared_with_its_size():
    maps = declared(c_text(PROBES))
    assert {name: spec.entries_in_c for name, spec in MAPS.items()}.items() <= maps.items()


def test_maps_that_are_not_in_the_table_have_one_entry():
    maps = declared(c_text(PROBES))
    assert {maps[name] for name in maps.keys() - MAPS.keys()} == {"1"}


def test_updates_that_are_dropped_are_counted_for_each_map_that_can_be_full():
    used = set(re.findall(r"count_dropped_update\(DROPPED_(\w+)\)", c_text(PROBES)))
    assert used == {name.upper() for name in DROPPABLE_MAPS}


@dataclass
class Table:
    Key: Any
    Leaf: Any


C_TYPES = {"Q": ct.c_uint64, "I": ct.c_uint32, "H": ct.c_uint16, "B": ct.c_uint8}


def c_type(form: str) -> Any:
    """The type of a member with this format."""
    count, code = int(form[:-1] or 1), form[-1]
    kind = C_TYPES.get(code, ct.c_char)
    return kind * count if count > 1 else kind


def structure(layout: Layout | None, **changes: str) -> Any:
    """What BCC makes of a struct, with other formats of some members; "" for a member that is not there."""
    if layout is None:
        return ct.c_uint64
    members = [(name, form) for name, form in (layout.members | changes).items() if form]
    fields = [(name, c_type(form)) for name, form in members]
    return type(layout.name, (ct.Structure,), {"_fields_": fields})


def compiled(**changes: str) -> dict[bytes, Table]:
    """What BCC made, with other formats of some members of struct row."""
    tables = {name.encode(): Table(structure(spec.key), structure(spec.value)) for name, spec in MAPS.items()}
    tables[b"slot_numbers"].Key = structure(MAPS["slot_numbers"].key, **changes)
    return tables


def test_layouts_that_agree():
    check_layouts(compiled())


def test_maps_that_are_not_compiled_are_not_compared():
    check_layouts({})


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"tgid": "Q"}, "tgid is 8 bytes at offset 8 in the C, but 4 bytes at offset 8 in Python"),
        ({"port": ""}, "port is missing in the C, but 2 bytes at offset 12 in Python"),
        ({"netns": "I"}, "netns is 4 bytes at offset 24 in the C, but missing in Python"),
        ({"kind": ""}, "kind is missing in the C, but 1 bytes at offset 19 in Python"),
    ],
)
def test_a_layout_that_differs(changes: dict[str, str], difference: str):
    with pytest.raises(KernelError) as caught:
        check_layouts(compiled(**changes))
    assert str(caught.value) == (
        f"struct row in map slot_numbers: {difference}; probes/types.h and exporter/model.py are of different "
        "versions: install copy-exporter again"
    )


def test_the_directory_of_the_probes():
    assert probes_directory() == Path(__file__).parents[3] / "probes"
