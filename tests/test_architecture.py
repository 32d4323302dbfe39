"""Layers, start-up and the examples in the documentation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import activelab as al

ROOT = Path(__file__).parents[1]


def test_inner_layers_never_import_outer_ones():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_import_loads_no_heavy_library():
    heavy = ["sklearn", "pandas", "pyarrow", "matplotlib", "typer", "rich", "narwhals", "scipy.optimize"]
    code = f"import activelab, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist():
    assert all(hasattr(al, name) for name in al.__all__)
    assert set(al.__all__) <= set(dir(al))
