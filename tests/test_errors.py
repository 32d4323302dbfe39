"""Errors are data: place and advice are fields, and every surface words them."""

from __future__ import annotations

import ast
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import activelab as al
from activelab import InputError, Labels, tables
from activelab._errors import ADVICE
from activelab.cli._advice import ADVICE as OPTIONS

SOURCE = Path(al.__file__).parent
OUTSIDE = sorted(path for path in SOURCE.rglob("*.py") if "cli" not in path.relative_to(SOURCE).parts)
OPTION = re.compile(r"(^|[\s`'(])--[a-zA-Z{]")


def texts_of(node: ast.AST) -> list[str]:
    """The strings in a piece of code, with what is put into them as braces."""
    inside = {id(part) for one in ast.walk(node) if isinstance(one, ast.JoinedStr) for part in one.values}
    return [ast.unparse(one) for one in ast.walk(node) if isinstance(one, ast.JoinedStr)] + [
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in inside
    ]


def calls_of(name: str) -> list[ast.Call]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")]
    calls = [one for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Call)]
    return [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == name]


def test_every_advice_is_worded_for_both_surfaces():
    assert ADVICE.keys() == OPTIONS.keys()
    for key in ADVICE:
        error = InputError("it is wrong.", column="text", advice=key)
        for surface, text in ((ADVICE, str(error)), (OPTIONS, error.worded(OPTIONS))):
            assert text.startswith("it is wrong. ")
            assert text == f"it is wrong. {surface[key]}".replace("{column}", "text")
            assert text.endswith(".") or key == "connect"
        assert not OPTION.search(str(error))


def test_every_advice_is_given_somewhere():
    given = {
        constant.value
        for call in calls_of("InputError")
        for keyword in call.keywords
        if keyword.arg == "advice"
        for constant in ast.walk(keyword.value)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }
    # A round replaces the advice of the core, which speaks of arguments that a project does not have.
    assert given | {"project_predictions"} == ADVICE.keys()


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_nothing_that_is_raised_in_python_speaks_of_options(path: Path):
    """In what is raised, and in what makes an error."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        makes = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "Error" in node.func.id
        if isinstance(node, ast.Raise) or makes:
            assert not [text for text in texts_of(node) if OPTION.search(text)], f"line {node.lineno}"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "it is wrong."),
        ({"row": 3}, "it is wrong (row 3, counted from 0)."),
        ({"row": (1, 4)}, "it is wrong (rows 1 and 4, counted from 0)."),
        ({"file": "a.csv"}, "a.csv: it is wrong."),
        ({"file": Path("a.csv"), "row": np.int64(0)}, "a.csv: it is wrong (row 0, counted from 0)."),
        ({"row": 2, "advice": "keep"}, f"it is wrong (row 2, counted from 0). {ADVICE['keep']}"),
        ({"advice": "of another package"}, "it is wrong."),
    ],
)
def test_the_text_has_file_place_and_advice(fields, text):
    assert str(InputError("it is wrong.", **fields)) == text


def test_braces_in_a_message_are_kept():
    assert str(InputError("{column} {0} {")) == "{column} {0} {"


TWICE = "example,annotator,label\na,1,x\n\nb,1,x\na,1,y\n"


def labels_of(path: str) -> Labels:
    """Read in a process of its own."""
    with tables.naming(path):
        return Labels.from_long(pd.read_csv(path))


def test_all_that_an_error_knows_comes_back_from_another_process(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(TWICE)
    with pytest.raises(InputError) as here:
        labels_of(str(path))
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(InputError) as caught,
    ):
        pool.submit(labels_of, str(path)).result()
    error = caught.value
    assert (error.file, error.rows, error.lines) == (str(path), (0, 2), (2, 5))
    assert (error.example, error.column, error.advice) == ("a", None, "keep")
    assert str(error) == str(here.value)
    assert str(error).startswith(f"{path}: annotator 1 labelled example 'a' more than once")
    assert str(error).endswith("(lines 2 and 5). Pass keep='last' to keep the last label of each pair.")
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_a_file_without_lines_has_rows(tmp_path):
    path = tmp_path / "labels.parquet"
    pd.DataFrame({"example": ["a", None], "annotator": 1, "label": "x"}).to_parquet(path)
    with pytest.raises(InputError) as caught, tables.naming(path):
        Labels.from_long(pd.read_parquet(path))
    assert (caught.value.rows, caught.value.lines, caught.value.column) == ((1,), (), "example")


def test_the_inner_file_counts(tmp_path):
    with pytest.raises(InputError) as caught, tables.naming(tmp_path / "outer.csv"):
        raise InputError("it is wrong.", file="inner.csv", row=0)
    assert (caught.value.file, caught.value.lines) == ("inner.csv", ())


def test_the_row_of_a_dataframe_is_its_own_and_not_that_of_the_pool():
    labels = Labels.from_records([("a", 1, "x"), ("b", 1, "y"), ("c", 1, "x")])
    probs = pd.DataFrame({"example": ["c", "a", "b"], "x": [0.5, 0.5, 2.0], "y": [0.5, 0.5, 0.0]})
    good = probs.assign(x=0.5, y=0.5)
    with pytest.raises(InputError) as caught:
        al.pred_probs.check_pred_probs([good, probs], labels)
    assert (caught.value.example, caught.value.rows) == ("b", (2,))
    assert caught.value.problem.startswith("model 1: example 'b'")
