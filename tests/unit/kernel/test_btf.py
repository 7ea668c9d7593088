"""A kernel without BTF: one clear line."""

from pathlib import Path

import pytest

from exporter.errors import KernelError
from exporter.kernel import btf


def test_a_kernel_without_btf_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(btf, "VMLINUX", tmp_path / "vmlinux")
    with pytest.raises(KernelError, match=r"has no BTF.*CONFIG_DEBUG_INFO_BTF=y") as caught:
        btf.Btf()
    assert "\n" not in str(caught.value)
