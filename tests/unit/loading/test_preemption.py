"""Whether the kernel preempts itself, by what it says of itself."""

from pathlib import Path

import pytest

from exporter.loading.preemption import kernel_preempts


@pytest.mark.parametrize(
    ("version", "mode", "preempts"),
    [
        ("#1 SMP Debian 5.10.262-1", None, False),
        ("#1 SMP PREEMPT Debian", None, True),
        ("#1 SMP PREEMPT_RT Debian", None, True),
        ("#1 SMP PREEMPT_DYNAMIC Debian", "none (voluntary) full\n", False),
        ("#1 SMP PREEMPT_DYNAMIC Debian", "none voluntary (full)\n", True),
        ("#1 SMP PREEMPT_DYNAMIC Debian", "full (lazy)\n", True),
        ("#1 SMP PREEMPT_DYNAMIC Debian", None, True),
    ],
)
def test_modes(tmp_path: Path, version: str, mode: str | None, preempts: bool) -> None:
    file = tmp_path / "preempt"
    if mode:
        file.write_text(mode)
    assert kernel_preempts(version, file) is preempts
