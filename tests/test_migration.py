"""What those who come from cleanlab, crowd-kit and Argilla reported there, and find here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

import activelab as al
from activelab import multiannotator as ma
from activelab.aggregation import DawidSkene, MajorityVote
from activelab.formats import convert_file, read_records

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "how-to").glob("migrate-from-*.md"))


# -------------------------------------------------------------------- cleanlab


def test_862_work_does_not_grow_with_the_number_of_annotators():
    # As a matrix of floats these labels would take 16 GB.
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=1000)
    example, annotator = np.repeat(np.arange(1000), 2), np.tile(np.arange(40), 50)
    label = np.where(rng.random(2000) < 0.8, truth[example], rng.integers(3, size=2000))
    few, many = (
        al.Labels(example, annotator * step, label, examples=1000, annotators=40 * step, classes=3)
        for step in (1, 50_000)
    )
    pred_probs = rng.dirichlet(np.ones(3), size=1000)
    np.testing.assert_allclose(
        al.ActiveLab().score(many, pred_probs), al.ActiveLab().score(few, pred_probs), rtol=1e-9
    )


def test_1156_annotators_and_examples_without_labels_and_labels_from_elsewhere():
    matrix = pd.DataFrame(
        {"import": [0, 1, np.nan], "ann": [0, np.nan, np.nan], "not yet": [np.nan] * 3}, index=list("abc")
    )
    pred_probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    with pytest.raises(ValueError, match="not yet"):
        ma.get_label_quality_multiannotator(matrix.iloc[:2], pred_probs[:2])
    labels = al.Labels.from_wide(matrix)
    assert labels.annotators.tolist() == ["import", "ann", "not yet"]
    assert al.suggest(labels, pred_probs, 3).examples[0] == "c"
    assert al.crowdlab(labels, pred_probs).label.tolist() == [0, 1, -1]
    # One file of labels by nobody in particular, and nothing else.
    alone, unlabelled = ma.get_active_learning_scores(np.array([[0], [1]]), pred_probs[:2], pred_probs[2:])
    assert unlabelled[0] < alone.min()


def test_930_and_932_a_binary_question_a_class_and_the_mean_of_the_scores():
    rng = np.random.default_rng(1)
    truth = rng.random((200, 4)) < 0.4
    answers = truth[:, None, :] ^ (rng.random((200, 3, 4)) < 0.1)
    answers[0] = [[True] * 4, [False] * 4, [True, False, True, False]]  # nobody agrees on the first
    sure = np.where(truth, 0.85, 0.15)
    sure[0] = 0.5
    scores = np.mean(
        [
            ma.get_active_learning_scores(
                answers[:, :, one].astype(float), np.column_stack([1 - sure[:, one], sure[:, one]])
            )[0]
            for one in range(4)
        ],
        axis=0,
    )
    assert scores.argmin() == 0


def test_text_labels_go_to_the_same_functions():
    labels = pd.DataFrame({"ann": ["dog", "cat", "cat"], "bob": ["dog", None, "dog"]}, index=list("xyz"))
    formatted, mapping = ma.format_multiannotator_labels(labels)
    assert mapping == {0: "cat", 1: "dog"}
    assert formatted.index.tolist() == list("xyz")
    pd.testing.assert_frame_equal(formatted.replace(mapping), labels, check_dtype=False)
    pred_probs = np.array([[0.1, 0.9], [0.8, 0.2], [0.7, 0.3]])
    result = ma.get_label_quality_multiannotator(formatted, pred_probs, verbose=False)
    assert result["label_quality"]["consensus_label"].map(mapping).tolist() == ["dog", "cat", "cat"]


def test_a_file_of_their_tests_runs_against_the_compatible_module(tmp_path):
    (tmp_path / "test_theirs.py").write_text(
        "import numpy as np\n"
        "from cleanlab.multiannotator import get_label_quality_multiannotator as quality\n"
        "LABELS = np.array([[0, 0], [1, 1], [0, 1]])\n"
        "def test_rows_are_scaled():\n"
        "    assert len(quality(LABELS, np.full((3, 2), 0.2))['label_quality']) == 3\n"
        "def test_words_are_ignored():\n"
        "    try:\n"
        "        quality(LABELS, np.full((2, 2), 0.5))\n"
        "    except ValueError as error:\n"
        "        assert 'quite other words' in str(error)\n"
        "def test_values_are_not():\n"
        "    assert quality(LABELS, np.full((3, 2), 0.5)) is None\n",
        encoding="utf-8",
    )
    script = ROOT / "benchmarks" / "cleanlab_tests.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path / "test_theirs.py"], capture_output=True, text=True, check=False
    )
    assert "2 of 3 tests pass." in done.stdout
    assert done.returncode == 1


# ------------------------------------------------------------------- crowd-kit


def test_108_ties_go_to_the_first_label_or_to_the_model():
    frame = pd.DataFrame(
        [("t", "a", "yes"), ("t", "b", "no"), ("u", "a", "no"), ("u", "b", "yes")],
        columns=["task", "worker", "label"],
    )
    assert MajorityVote().fit_predict(frame).tolist() == ["no", "no"]
    labels = al.Labels.from_long(frame)
    assert al.majority_vote(labels, np.array([[0.3, 0.7], [0.6, 0.4]])).label_ids.tolist() == ["yes", "no"]


@pytest.mark.parametrize("kind", [int, str, bool])
def test_6_dawid_skene_takes_labels_of_any_kind(kind):
    frame = pd.DataFrame(
        [(task, worker, kind(task % 2)) for task in range(6) for worker in range(3)],
        columns=["task", "worker", "label"],
    )
    fitted = DawidSkene().fit(frame)
    assert fitted.labels_.tolist() == [kind(task % 2) for task in range(6)]
    assert set(fitted.probas_.columns) == {kind(0), kind(1)}


# --------------------------------------------------------------------- Argilla


def argilla_export(folder: Path) -> list[Path]:
    """Two datasets of a workspace: flattened, and as `Dataset.to_disk` leaves it."""
    flat = folder / "tickets.jsonl"
    flat.write_text(
        "\n".join(
            json.dumps(
                {
                    "id": f"r{i}",
                    "status": "completed",
                    "_server_id": f"s{i}",
                    "text": "…",
                    "kind.responses": ["bug", "praise" if i % 2 else "bug", "praise"],
                    "kind.responses.users": ["u1", "u2", "u3"],
                    "kind.responses.status": ["submitted", "submitted", "draft"],
                    "kind.suggestion": "bug",
                    "kind.suggestion.score": None,
                    "kind.suggestion.agent": None,
                }
            )
            for i in range(4)
        ),
        encoding="utf-8",
    )
    (folder / "disk").mkdir()
    nested = folder / "disk" / "records.json"
    nested.write_text(
        json.dumps(
            [
                {
                    "id": f"r{i}",
                    "fields": {"text": "…"},
                    "metadata": {},
                    "suggestions": {},
                    "responses": {"kind": [{"value": "bug", "user_id": "u1"}]} if i else {},
                    "vectors": {},
                    "status": "completed",
                    "_server_id": f"s{i}",
                }
                for i in range(3)
            ]
        ),
        encoding="utf-8",
    )
    return [flat, nested]


def test_2073_and_981_records_of_a_workspace_give_consensus_and_the_next_batch(tmp_path):
    flat, nested = argilla_export(tmp_path)
    assert convert_file(flat, tmp_path / "labels.csv", "long").kept == 8
    assert convert_file(nested, tmp_path / "nested.csv", "long").kept == 2
    answers = [one for one in read_records(flat) if one.label]
    labels = al.Labels.from_records([(one.example, one.annotator, one.label) for one in answers])
    assert labels.annotators.tolist() == ["u1", "u2"]
    assert al.majority_vote(labels).label_ids[[0, 2]].tolist() == ["bug", "bug"]
    assert set(al.suggest(labels, np.full((4, 2), 0.5), 2).examples) == {"r1", "r3"}


# ----------------------------------------------------------------------- pages


def test_every_report_that_a_page_calls_settled_has_a_test():
    tests = re.findall(r"def test_(\w+)", Path(__file__).read_text(encoding="utf-8"))
    numbers = {number for name in tests for number in re.findall(r"\d+", name)}
    told = {}
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("| [#") and not line.endswith("| not here |"):
                told[re.match(r"\| \[#(\d+)", line)[1]] = page.name
    assert set(told) <= numbers
    assert set(told.values()) == {page.name for page in PAGES}


@pytest.mark.parametrize(
    "name", ["cleanlab-multiannotator", "cleanlab-iterative", "cleanlab-active-learning"]
)
def test_the_notebooks_change_one_import(name):
    notebook = nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", 4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    imports = re.findall(r"^(?:from|import) (activelab\S*) ?", code, flags=re.MULTILINE)
    assert imports == ["activelab.multiannotator", "activelab"]  # the second draws figures
    assert "# from cleanlab.multiannotator import" in code
