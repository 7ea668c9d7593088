"""Where the kernel's functions are, from lists like those of /proc/kallsyms."""

import pytest

from exporter.kernel.kallsyms import HiddenAddressesError, joined, ranges, ranges_in_modules

SYMBOLS = b"""
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000100 T memcpy
ffffffff81000100 W __memcpy
ffffffff81000140 t memcpy_orig
ffffffff81000200 T memcpy_and_pad
ffffffff81000300 t copyout.isra.0
ffffffff81000340 d copyin
ffffffff81000400 t memcpy_orig.cold
ffffffff81000410 T _etext
ffffffffc0000000 t copyout\t[module]
ffffffffc0000100 t other\t[module]
"""
HIDDEN = b"\n0000000000000000 T memcpy\n0000000000000000 T memmove\n"


def found(*functions: str) -> list[tuple[int, int]]:
    return [(start & 0xFFFF, end & 0xFFFF) for start, end in ranges(SYMBOLS, functions)]


def test_a_function_ends_where_the_next_one_begins():
    assert found("memcpy", "__memcpy") == [(0x100, 0x140), (0x100, 0x140)]


def test_pieces_that_the_compiler_named_are_there():
    assert found("memcpy_orig", "copyout") == [(0x140, 0x200), (0x300, 0x340), (0x400, 0x410)]


def test_names_are_whole_and_those_of_functions():
    assert found("memcpy_and", "copyin", "no_such") == []


def test_ranges_that_touch_become_one():
    assert list(joined([(7, 9), (1, 3), (3, 5), (1, 2), (8, 9)])) == [(1, 5), (7, 9)]
    assert list(joined([])) == []


def test_hidden_addresses_are_no_ranges():
    with pytest.raises(HiddenAddressesError):
        list(ranges(HIDDEN, ("memcpy",)))


CIPHERS = b"""
ffffffff81000000 T aes_encrypt
ffffffff81000080 T crypto_aes_set_key
ffffffff81000100 T caesar
ffffffff81000200 d aes_table
ffffffffc0000300 t gcm_last\t[gcm]
ffffffffc0000100 t aesni_enc\t[aesni_intel]
ffffffffc0000080 t helper\t[aesni_intel]
ffffffffc0000140 t _aesni_dec.cold\t[aesni_intel]
ffffffffc0000180 d table\t[aesni_intel]
"""


def test_functions_of_modules_end_where_the_next_one_begins_in_any_order():
    pieces = ranges_in_modules(CIPHERS, r"_*(?:crypto_)?(?:aes|gcm)\w*")
    assert [(start & 0xFFFF, end & 0xFFFF) for start, end in joined(pieces)] == [(0, 0x100), (0x100, 0x180)]


def test_hidden_functions_of_modules_are_an_error():
    with pytest.raises(HiddenAddressesError):
        list(ranges_in_modules(HIDDEN, "memcpy"))
