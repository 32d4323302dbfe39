"""Layers, start-up and the examples in the documentation."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import activelab as al

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "activelab"
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


def test_inner_layers_never_import_outer_ones():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@cache
def imported(path: Path) -> list[tuple[int, str]]:
    """Line and full name of all that a module imports, wherever in it."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports here say the whole name"
            found += ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    return found


def private_imports(package: str, source: Path = SOURCE) -> list[str]:
    """Where modules outside a package import what is private to it."""
    return [
        f"{path.relative_to(source)}:{line}: {name}"
        for path in sorted(source.rglob("*.py"))
        if path.relative_to(source).parts[0] != package
        for line, name in imported(path)
        if name.startswith(f"activelab.{package}.")
        and any(part.startswith("_") for part in name.split(".")[2:])
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_entered_by_its_public_names(package):
    assert private_imports(package) == []


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("from activelab.project._project import Project", True),
        ("from activelab.project import _project", True),
        ("def later():\n    import activelab.project.store._hidden.deep", True),
        ("from activelab.project.store.audit import write_audit", False),
        ("from activelab.projector import _own", False),
    ],
)
def test_private_imports_are_seen(tmp_path, line, seen):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "page.py").write_text(line)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "inside.py").write_text("from activelab.project._project import Project")
    assert bool(private_imports("project", tmp_path)) is seen


def test_every_public_name_is_there_and_stays_what_it_is():
    code = (
        "import activelab as al, activelab.strategies, types\n"
        "assert not [name for name in al.__all__ if isinstance(getattr(al, name), types.ModuleType)]\n"
        "assert set(al.__all__) <= set(dir(al))\n"
        "print(al.strategies()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == al.strategies()[0]


@pytest.mark.parametrize(
    "asked", [{}, {"_ACTIVELAB_COMPLETE": "complete_bash", "COMP_WORDS": "activelab ", "COMP_CWORD": "1"}]
)
def test_help_and_completion_compute_nothing(asked):
    code = (
        "import atexit, sys\n"
        "heavy = ('numpy', 'pyarrow', 'sklearn', 'rich', 'pydantic')\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules]))\n"
        "from activelab.cli import app\n"
        "app(['--help'], prog_name='activelab')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert "suggest" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_server_loads_what_it_needs_rarely_when_it_needs_it():
    heavy = ("pyarrow", "pandas", "sklearn", "scipy", "matplotlib", "PIL")
    code = f"import sys, activelab.web._serve; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_loads_no_heavy_library():
    heavy = [
        "sklearn",
        "pandas",
        "pyarrow",
        "matplotlib",
        "typer",
        "rich",
        "narwhals",
        "scipy.sparse",
        "scipy.optimize",
    ]
    code = (
        "import activelab as al, sys\n"
        "for name in {*al.__all__} - {'ActiveLearner', 'cross_val_pred_probs'}: getattr(al, name)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist():
    assert all(hasattr(al, name) for name in al.__all__)
    assert set(al.__all__) <= set(dir(al))
