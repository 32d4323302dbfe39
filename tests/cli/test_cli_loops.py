"""The commands that run rounds: demo, simulate, reproduce."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from activelab.cli import app
from activelab.simulation import (
    Curves,
    Experiment,
    dataset_names,
    get_figure,
    learning_curves_of,
    read_published,
    summary_markdown,
)

SMALL = [
    *("--dataset", "digits", "--model", "logistic-regression"),
    *("--labelled", "60", "--unlabelled", "200", "--test", "300"),
    *("--rounds", "2", "--batch-size", "20", "--trials", "2", "--noise", "0.2"),
]


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.mark.slow
def test_the_demo_shows_the_gain_and_leaves_files_that_work(tmp_path):
    folder = tmp_path / "demo"
    done = run("demo", "--folder", folder)
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if line.count("%") >= 4]
    table = [[float(cell.strip("%").replace(",", "")) for cell in row] for row in rows if len(row) == 6]
    assert [row[0] for row in table] == list(range(250, 1051, 100))
    ours, random = table[-1][1], table[-1][4]
    assert ours > random
    assert table[-1][2] > table[-1][5] > 90  # labels right, by the same consensus
    batch = pd.read_csv(folder / "batch.csv")
    assert len(batch) == 100
    assert (folder / "learning_curves.png").read_bytes()[:4] == b"\x89PNG"
    again = run(
        "suggest", folder / "labels.csv", "-p", folder / "pred_probs.csv", "-o", tmp_path / "next.csv"
    )
    assert again.exit_code == 0, again.output
    following = pd.read_csv(tmp_path / "next.csv")
    # The classifier alone, without its helpers, asks for others, of the same pool.
    assert len(following) == len(batch) == len(set(following["example"]))
    assert set(following["example"]) <= set(pd.read_csv(folder / "pred_probs.csv")["example"])


def test_the_demo_names_a_folder_that_cannot_be_made(tmp_path):
    done = run("demo", "--folder", tmp_path / "no" / "demo")
    assert done.exit_code == 2
    assert "is not a folder" in done.output


def test_simulate_writes_a_table_and_resumes(tmp_path):
    output = tmp_path / "results.parquet"
    done = run("simulate", *SMALL, "-m", "activelab,random", "-o", output, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["methods"]["method"] == ["activelab", "random"]
    assert (said["experiment"]["dataset"], said["experiment"]["trials"]) == ("digits", 2)
    table = pq.read_table(output)
    assert table.num_rows == 2 * 2 * 3
    columns = (
        "dataset model method trial round num_annotations test_accuracy test_accuracy_averaged "
        "consensus_accuracy num_labelled relabel_share temperature seconds"
    )
    assert set(columns.split()) <= set(table.column_names)
    assert b"digits" in table.schema.metadata[b"experiment"]
    # Three more rounds: those that are done keep their times.
    assert run("simulate", *SMALL, "--rounds", 3, "-m", "activelab,random", "-o", output).exit_code == 0
    longer = pq.read_table(output).to_pandas()
    first = longer[longer["round"] < 3].reset_index(drop=True)
    assert first["seconds"].tolist() == table.to_pandas()["seconds"].tolist()
    assert len(longer) == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "digit"], "Did you mean 'digits'"),
        ([*SMALL, "--model", "knnn"], "Did you mean 'knn'"),
        ([*SMALL, "-m", "activlab"], "Did you mean 'activelab'"),
        ([*SMALL, "--annotators", "replay"], "no recorded labels to replay"),
        ([*SMALL, "--annotators", "homogenous"], "Did you mean 'homogeneous'"),
        ([*SMALL, "--noise", "0.95"], "noise must"),
        ([*SMALL, "--labelled", "5000"], "1,797 examples, fewer than"),
        (["--config", "missing.toml"], "no such file"),
    ],
)
def test_simulate_names_what_is_wrong(tmp_path, arguments, message):
    done = run("simulate", *arguments, "-o", tmp_path / "results.parquet")
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "results.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "sizes", "annotators"),
    [
        (["--dataset", "digits"], (299, 899, 599), "class-conditional"),
        (["--dataset", "bluebirds"], (18, 54, 35), "replay"),
        (["--dataset", "bluebirds", "--noise", "0.2"], (18, 54, 35), "class-conditional"),
        (["--dataset", "wall-robot-complete"], (2000, 0, 1000), "class-conditional"),
    ],
)
def test_simulate_fits_the_dataset(tmp_path, data, arguments, sizes, annotators):
    output = tmp_path / "results.parquet"
    options = ("--model", "knn", "--method", "random", "--rounds", 0, "--trials", 1, "-o", output)
    done = run("simulate", *arguments, *options)
    assert done.exit_code == 0, done.output
    stated = Experiment.from_toml(tmp_path / "results.parquet.parts" / "experiment.toml")
    assert (stated.labelled, stated.unlabelled, stated.test) == sizes
    assert stated.annotators == annotators


def test_reproduce_writes_a_page_with_its_figure(tmp_path, data):
    published = tmp_path / "published.csv"
    rows = [
        ("wall_robot", "et", method, "test_accuracy", trial, number, 100 * number, 0.9 + number / 100)
        for method in ("activelab", "disagreement")
        for trial in range(2)
        for number in range(3)
    ]
    names = ["benchmark", "model", "method", "metric", "trial", "round", "n_labels", "value"]
    pd.DataFrame(rows, columns=names).to_csv(published, index=False)
    page = tmp_path / "results.md"
    options = ("--rounds", 1, "--trials", 1, "--published", published, "--report", page)
    done = run("reproduce", "s5", "-f", tmp_path / "kept", *options)
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert "| activelab |" in text
    assert (tmp_path / "s5.png").stat().st_size > 10_000
    (curve,) = read_published(str(published), "wall_robot", "et")
    assert (curve.method, curve.mean.round(2).tolist()) == ("activelab", [0.9, 0.91, 0.92])
    assert run("reproduce", "fig7", "-f", tmp_path / "kept").exit_code == 2


def test_the_papers_settings():
    (trees, ensemble) = (panel.experiment for panel in get_figure("fig1").panels)
    sizes = (trees.labelled, trees.unlabelled, trees.test, trees.batch_size, trees.rounds, trees.trials)
    assert sizes == (500, 1500, 1000, 100, 20, 5)
    assert ensemble.model == "ensemble"
    assert [panel.experiment.noise for panel in get_figure("s1").panels] == [0.4, 0.3, 0.2, 0.1, 0.0]
    complete = get_figure("s3").panels[0].experiment
    assert (complete.labelled, complete.unlabelled, complete.noise) == (2000, 0, 0.15)
    assert get_figure("s5").panels[0].experiment.single_label


def test_label_efficiency():
    curves = Curves(
        "x",
        np.array([[100.0, 200, 300, 400]] * 2),
        np.array([[0.5, 0.7, 0.9, 0.9], [0.5, 0.5, 0.5, 0.5]]),
    )
    # Means of neighbouring rounds: 0.6, 0.8, 0.9 at 100, 200 and 300 labels.
    needed = curves.annotations_to_reach(0.7)
    assert needed[0] == pytest.approx(150)
    assert np.isnan(needed[1])
    assert curves.final.tolist() == [0.9, 0.5]
    assert curves.area == pytest.approx([0.75, 0.5])
    text = summary_markdown({"x": curves, "random": curves})
    assert "| x | 0.700 ± 0.200 |" in text


def test_labels_needed_count_trials_that_never_reach_it_with_all_they_had():
    labels = np.array([[100.0, 200, 300, 400]] * 2)
    half = Curves("x", labels, np.array([[0.5, 0.7, 0.9, 0.9], [0.5, 0.5, 0.5, 0.5]]))
    both = Curves("activelab", labels, np.array([[0.5, 0.7, 0.9, 0.9]] * 2))
    none = Curves("random", labels, np.full((2, 4), 0.5))
    assert half.labels_needed(0.7) == (pytest.approx((150 + 400) / 2), 1)
    assert both.labels_needed(0.7) == (pytest.approx(150), 2)
    assert none.labels_needed(0.7) == (400, 0)
    text = summary_markdown({"x": half, "activelab": both, "random": none})
    # The first target is half of the way from 0.5 to 0.9.
    assert "| x | ≥ 275 (1/2); –, ≥ 1.83 |" in text
    assert "| activelab | 150 (2/2); ≤ 0.37" in text or "| activelab | 150 (2/2); ≤ 0.38" in text
    assert "| random | not reached |" in text


def test_curves_of_a_table_are_cut_to_the_shortest_trial():
    import pyarrow as pa

    table = pa.table(
        {
            "method": ["a"] * 5,
            "trial": [0, 0, 0, 1, 1],
            "round": [1, 0, 2, 0, 1],
            "num_annotations": [20, 10, 30, 10, 20],
            "test_accuracy": [0.2, 0.1, 0.3, 0.4, 0.5],
        }
    )
    assert learning_curves_of(table)["a"].accuracy.tolist() == [[0.1, 0.2], [0.4, 0.5]]
    assert Experiment().trials == 5


def test_stored_results_are_drawn_by_simulate_and_by_plot(tmp_path):
    output, figure = tmp_path / "results.csv", tmp_path / "curves.svg"
    done = run("simulate", *SMALL, "--rounds", 1, "-m", "random", "-o", output, "--figure", figure)
    assert done.exit_code == 0, done.output
    assert b"<svg" in figure.read_bytes()
    for ending, begins in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        target = tmp_path / f"again{ending}"
        done = run("plot", output, "--measure", "consensus_accuracy", "-o", target)
        assert done.exit_code == 0, done.output
        assert target.read_bytes().startswith(begins)
    for arguments, message in (
        (("plot", output, "-o", tmp_path / "x.gif"), "a figure ends in .png, .pdf, .svg"),
        (("plot", output, "--measure", "speed", "-o", figure), "is no table of results: no column 'speed'"),
        (("plot", tmp_path / "none.csv", "-o", figure), "none.csv: no such file"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert message in done.output


def test_simulate_shows_the_defaults_of_an_experiment():
    shown = " ".join(run("simulate", "--help").stdout.partition("Options:")[2].split())
    default = Experiment()
    for option, value in {
        "--dataset": default.dataset,
        "--model": default.model,
        "--method": ",".join(default.methods),
        "--rounds": default.rounds,
        "--batch-size": default.batch_size,
        "--trials": default.trials,
        "--noise": default.noise,
        "--num-annotators": default.num_annotators,
        "--seed": default.seed,
    }.items():
        found = re.search(rf"{option} (?:<\w+>|[A-Z]+) .*?\[default: \((.*?)\)\]", shown)
        assert found
        assert found[1] == str(value)
    for value in (default.labelled, default.unlabelled, default.test, default.annotators):
        assert str(value) in shown


def test_simulate_lists_the_datasets_by_name():
    done = run("simulate", "--datasets")
    assert [line.split()[0] for line in done.stdout.splitlines()] == dataset_names()


def test_simulate_takes_lists_of_strategies_whose_parts_are_lists(tmp_path):
    line = ("-m", "taught+helpers=extra_trees,logistic,random", "-m", "entropy", "--rounds", 0, "--trials", 1)
    done = run("simulate", *SMALL, *line, "-o", tmp_path / "results.csv", "--json")
    assert done.exit_code == 0, done.output
    methods = json.loads(done.stdout)["experiment"]["methods"]
    assert methods == ["taught+helpers=extra_trees,logistic", "random", "entropy"]
