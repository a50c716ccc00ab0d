"""The package keeps its promises to whoever imports it: light at first, free of the app, without circles."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "mmvae").rglob("*.py"))


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path, *, everywhere: bool = False) -> set[str]:
    """The modules a file imports in full names: when it is imported itself, or anywhere in it."""
    package = name_of(file) if file.name == "__init__.py" else name_of(file).rpartition(".")[0]
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        later = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if everywhere or not (later or typing_only):
            for child in ast.iter_child_nodes(node):
                visit(child)

    visit(ast.parse(file.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("heavy", ["torch", "streamlit", "sklearn", "numba", "PIL"])
def test_importing_the_package_leaves_what_is_heavy_alone(heavy):
    code = f"import sys, mmvae; mmvae.VARIANTS, mmvae.DATASETS; print({heavy!r} in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_nothing_of_the_model_package_knows_the_app():
    guilty = {name_of(file): found for file in MODULES
              if (found := {name for name in imports_of(file, everywhere=True) if name.split(".")[0] in ("streamlit", "ui", "pages")})}
    assert guilty == {}


def test_imports_within_the_package_run_one_way():
    known = {name_of(file) for file in MODULES}
    graph = {name_of(file): imports_of(file) & known - {name_of(file)} for file in MODULES}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' → '.join([*path[path.index(module):], module])}"
        if module not in done:
            for other in graph[module]:
                # a package and its own parts are imported together; only its parts among each other count
                if not other.startswith(module + ".") and not module.startswith(other + "."):
                    walk(other, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def test_the_core_builds_in_the_order_of_its_ideas():
    order = ["mmvae.gaussian", "mmvae.latents", "mmvae.modalities", "mmvae.variants", "mmvae.model", "mmvae.objective", "mmvae.steps", "mmvae.training"]
    for i, module in enumerate(order):
        later = imports_of(ROOT / (module.replace(".", "/") + ".py"), everywhere=True) & set(order[i + 1:])
        assert later == set(), f"{module} imports {later}"


#: What `mmvae.bench` alone imports, when it is asked to measure: a browser to draw in, and others' programs to measure against.
BENCH = {"playwright", "umap", "threadpoolctl", "multivae", "pythae"}


def test_every_package_that_is_imported_is_required():
    required = {line.split(">=")[0].replace("-", "_").lower() for line in (ROOT / "requirements.txt").read_text().split()}
    required |= {"sklearn", "pil", "starlette"}  # of scikit-learn, pillow and streamlit
    required |= {"mmvae", "ui", *sys.stdlib_module_names}
    files = [*MODULES, *(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]
    imported = {file: {name.split(".")[0].lower() for name in imports_of(file, everywhere=True)} for file in files}
    assert any("torchvision" in names for names in imported.values())  # it is imported within functions alone, and seen nevertheless
    missing = {name_of(file): unknown for file, names in imported.items()
               if (unknown := names - required - {""} - (BENCH if file.is_relative_to(ROOT / "mmvae" / "bench") else set()))}
    assert missing == {}
