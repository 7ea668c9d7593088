"""Imports run one way: a module imports only what stands before it here."""

import ast
from pathlib import Path

import exporter

PACKAGE = Path(exporter.__file__).parent
LAYERS = (
    {"build", "errors", "model"},
    {"kernel"},
    {"ledger", "contract", "endings", "memory", "privileges", "procfs", "network", "logs", "refusals"},
    {"probe_table"},
    {"source", "handover"},
    {"compiler", "reader"},
    {"attachers"},
    {"preemption"},
    {"loader"},
    {"attribution", "pulse"},
    {"kafka"},
    {"config", "sampler"},
    {"exposition"},
    {"kafka_metrics"},
    {"metrics", "network_metrics"},
    {"web"},
    {"serve", "doctor", "demo"},
    {"cli"},
)
LAYER_OF = {name: number for number, layer in enumerate(LAYERS) for name in layer}
BCC_ONLY_IN = {"compiler"}


def room(module: str) -> str:
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
    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    return [(file.parts[0].removesuffix(".py"), PACKAGE / file) for file in files]


def test_every_module_has_a_layer():
    assert {name for name, _ in modules()} == set(LAYER_OF)


def test_imports_run_one_way():
    wrong = [
        f"{name} imports {other}"
        for name, path in modules()
        for other in map(room, imports(path))
        if other in LAYER_OF and other != name and LAYER_OF[other] >= LAYER_OF[name]
    ]
    assert wrong == []


def test_only_the_compiler_imports_bcc():
    assert {name for name, path in modules() if "bcc" in imports(path)} == BCC_ONLY_IN


def test_the_kernel_package_stands_on_model_and_errors_alone():
    used = {room(other) for name, path in modules() if name == "kernel" for other in imports(path)}
    assert used & set(LAYER_OF) <= {"kernel", "errors", "model"}
