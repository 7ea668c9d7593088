"""Imports run one way: the diagram in docs/architecture.md is the list of layers that the code is held to."""

import ast
import re
from pathlib import Path

import exporter

PACKAGE = Path(exporter.__file__).parent
ARCHITECTURE = PACKAGE.parent / "docs/architecture.md"
ROW = re.compile(r"      (?P<members>[a-z_]+/?(?: {1,2}[a-z_]+/?)*)(?: {3,}.*)?")


def rows_of(text: str) -> list[set[str]]:
    """The rows of the diagram below the line ``    exporter/``, top row first."""
    lines = text.split("\n    exporter/", 1)[1].splitlines()[1:]
    matches = [ROW.fullmatch(line) for line in lines[: lines.index("")]]
    return [set(match["members"].replace("/", "").split()) for match in matches if match]


LAYERS = rows_of(ARCHITECTURE.read_text())
DEPTH = {name: depth for depth, row in enumerate(LAYERS) for name in row}


def folder(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "exporter":
                found |= {f"exporter.{alias.name}" for alias in node.names}
    return found


def modules() -> list[tuple[str, Path]]:
    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    return [(file.parts[0].removesuffix(".py"), PACKAGE / file) for file in files]


def test_the_diagram_is_read():
    assert LAYERS[:2] == [{"__main__"}, {"cli"}]
    assert {"counting", "loading"} in LAYERS
    assert LAYERS[-1] >= {"model", "errors"}


def test_every_module_and_folder_is_in_the_diagram():
    assert {name for name, _ in modules()} == set(DEPTH)


def test_imports_run_downwards():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for name, path in modules()
        for other in map(folder, imports(path))
        if other in DEPTH and other != name and DEPTH[other] <= DEPTH[name]
    ]
    assert wrong == []


def test_only_the_compiler_imports_bcc():
    assert [str(path.relative_to(PACKAGE)) for _, path in modules() if "bcc" in imports(path)] == [
        "loading/compiler.py"
    ]
