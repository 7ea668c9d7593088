"""The benchmarks share helpers with the tests, but run without pytest."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from tests.support.paths import ROOT

FILES = sorted(path.relative_to(ROOT) for path in Path(bench.__file__).parent.rglob("*.py"))
MODULES = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in FILES]
WITHOUT_PYTEST = """
import importlib, sys
sys.modules["pytest"] = None
for module in sys.argv[1:]:
    importlib.import_module(module)
"""


def test_no_module_imports_pytest() -> None:
    assert "bench.kafka.__main__" in MODULES
    command = [sys.executable, "-c", WITHOUT_PYTEST, *MODULES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", FILES, ids=str)
def test_modules_share_only_the_support_package(path: Path) -> None:
    imported = re.findall(r"^from (tests\.\S+)", (ROOT / path).read_text(), re.MULTILINE)
    assert [name for name in imported if not name.startswith("tests.support.")] == []
