"""The notebooks of the documentation run, and what they show are pictures and tables."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
ENDINGS_SHOWN = re.compile(
    r"^(plots\.|learner\.round_|labels$|batch$|consensus|kappa|advise\(|al\.suggest\()"
)


def shown(cell) -> list[str]:
    """Kinds of what a cell shows, leaving out how far it had come."""
    kinds = []
    for output in cell.outputs:
        if output.output_type == "stream":
            kinds.append(f"stream {output.name}")
            continue
        data = output.data
        if "activelab-progress" in data.get("text/html", ""):
            continue
        kinds.append(next(kind for kind in ("image/png", "text/html", "text/plain") if kind in data))
    return kinds


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request, tmp_path_factory):
    """A notebook as it is kept, and as it is now that it has run."""
    kept = nbformat.read(request.param, 4)
    ran = nbformat.read(request.param, 4)
    folder = str(tmp_path_factory.mktemp("notebook"))
    NotebookClient(
        ran, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    return kept, ran


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.slow
def test_it_shows_what_is_kept_in_it(notebook):
    kept, ran = notebook
    assert [shown(cell) for cell in code(ran)] == [shown(cell) for cell in code(kept)]


@pytest.mark.slow
def test_results_are_tables_and_figures_pictures(notebook):
    _, ran = notebook
    pictures = tables = 0
    for cell in code(ran):
        last = cell.source.splitlines()[-1]
        if not ENDINGS_SHOWN.match(last):
            continue
        (result,) = [output for output in cell.outputs if output.output_type == "execute_result"]
        if last.startswith("plots."):
            assert base64.b64decode(result.data["image/png"]).startswith(b"\x89PNG")
            pictures += 1
        else:
            assert 'class="activelab"' in result.data["text/html"]
            assert "<table>" in result.data["text/html"]
            tables += 1
    assert pictures + tables > 0


@pytest.mark.slow
def test_nothing_warns(notebook):
    _, ran = notebook
    said = [output.text for cell in code(ran) for output in cell.outputs if output.get("name") == "stderr"]
    assert not said


def test_there_are_notebooks_and_the_page_names_each():
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert NOTEBOOKS
    assert all(f"notebooks/{path.name}" in page for path in NOTEBOOKS)
