"""What a notebook shows of results: HTML that is whole, small and harmless."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import activelab as al
from activelab.advice import advise
from activelab.agreement import agreement_statistics, cohen_kappa_matrix

EVIL = "<script>alert(1)</script>"


class _Page(HTMLParser):
    """Elements in their order, texts of cells by row; fails where elements are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 2
    X = rng.normal(size=(200, 2)) + 2 * truth[:, None]
    names = np.array(["good", EVIL])
    records = [
        (f"e{i}", f"ann-{j}", names[truth[i] if rng.random() < 0.85 else rng.integers(2)])
        for i in range(120)
        for j in rng.choice(14, 3, replace=False)
    ]
    labels = al.Labels.from_records(records, classes=names, examples=[f"e{i}" for i in range(200)])
    learner = al.ActiveLearner(LogisticRegression(), "recommended+skip_settled=true")
    batch = learner.ask(pd.DataFrame(X, index=labels.examples), labels, 500)
    consensus = al.crowdlab(labels, learner.round_.pred_probs)
    return {
        "labels": labels,
        "batch": batch,
        "round": learner.round_,
        "learner": learner,
        "consensus": consensus,
        "annotators": consensus.annotators,
        "kappa": cohen_kappa_matrix(labels),
        "agreement": agreement_statistics(labels, n_bootstrap=20)[0],
        "advice": advise(labels, learner.round_.pred_probs, trials=2),
        "no labels": al.Labels([], [], [], examples=3, annotators=0, classes=2),
        "fresh learner": al.ActiveLearner(),
    }


KINDS = [
    "labels", "batch", "round", "learner", "consensus", "annotators", "kappa", "agreement", "advice",
    "no labels", "fresh learner",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_html_is_whole_and_harmless(results, kind):
    text = results[kind]._repr_html_()
    page = _Page(text)
    assert "script" not in page.seen
    assert len(text) < 20_000
    assert all(len(row) == len(page.rows[0]) for row in page.rows) or kind == "advice"


def test_tables_have_the_first_rows_and_say_how_many_more(results):
    page = _Page(results["labels"]._repr_html_())
    assert page.rows[0] == ["example", "annotator", "label"]
    first = results["labels"].to_long().head(10).to_numpy().tolist()
    assert page.rows[1:] == first
    assert "… 350 more rows" in page.text
    assert "without labels 80" in page.text
    batch = results["batch"]
    page = _Page(batch._repr_html_())
    assert [row[0] for row in page.rows[1:]] == batch.examples[:10].tolist()
    assert f"Note: {batch.notes[0]}" in page.text


def test_what_is_not_known_is_a_dash(results):
    page = _Page(results["batch"]._repr_html_())
    new = next(row for row in page.rows[1:] if row[2] == "new")
    assert new[page.rows[0].index("consensus label")] == "–"
    assert new[page.rows[0].index("quality")] == "–"


def test_kappas_of_those_who_share_most_are_shaded(results):
    text = results["kappa"]._repr_html_()
    page = _Page(text)
    assert len(page.rows) == 11
    assert page.rows[1][1] == "–"
    matrix = results["kappa"].to_matrix()
    names = results["kappa"].annotators.tolist()
    a, b = names.index(page.rows[1][0]), names.index(page.rows[0][2])
    assert page.rows[1][2] == (f"{matrix[a, b]:.3f}" if np.isfinite(matrix[a, b]) else "–")
    assert "rgba(31, 119, 180" in text
    assert "4 more annotators" in page.text


def test_advice_shows_every_strategy_and_what_labels_buy(results):
    page = _Page(results["advice"]._repr_html_())
    assert {one.strategy for one in results["advice"].strategies} <= {row[0] for row in page.rows}
    assert "forecast: errors removed" in page.text
