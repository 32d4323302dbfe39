"""``activelab demo``: the whole loop on real data, with nothing to prepare."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from activelab.labels import Labels
    from activelab.learner import RoundResult

PROJECT = "digits.db"
MODEL = "logistic-regression"
"""Of the demo and of its project."""
BRIGHTEST = 16.0
"""Of a pixel, which both see as a share of it."""

_TEST, _START, _BATCH, _ROUNDS, _ANNOTATORS = 500, 250, 100, 8, 20
_OURS = "recommended"


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", "-f", help="Where to put the files; made if it is missing.")
    ] = Path("activelab-demo"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve the pages of the demo project until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of --serve; 0 for any that is free.")] = 8080,
) -> None:
    """ActiveLab on 1,797 real images of handwritten digits, in less than two minutes, without a network.

    Twenty simulated annotators, right 50 % to 90 % of the time, label the images. The method "recommended"
    and random choice each spend the same number of labels; a table shows what they buy: how often the
    classifier is right on images kept apart, and the consensus on those labelled, with the same consensus for
    both. The labels and rounds become a project, whose pages --serve opens; later it serves what is there,
    with what you have labelled since.

    \b
    Examples:
      activelab demo
      activelab demo --serve
      activelab demo --folder /tmp/digits --seed 1
    """
    if not folder.parent.is_dir():
        raise typer.BadParameter(f"{folder.parent} is not a folder.", param_hint="--folder")
    if serve and (folder / PROJECT).exists():
        typer.echo(f"Serving the project of an earlier demo; another begins when {folder} is deleted.")
    else:
        _show(folder, seed)
    if serve:
        from activelab.cli._project_use import run_server

        run_server(str(folder / PROJECT), port=port)


def _show(folder: Path, seed: int) -> None:
    """Run both methods, say what they gained, and leave files and a project."""
    from sklearn.datasets import load_digits
    from threadpoolctl import threadpool_limits

    images, digit = load_digits(return_X_y=True)
    folder.mkdir(exist_ok=True)
    typer.echo(
        f"{len(digit):,} images of handwritten digits: {_TEST} kept apart as a test, the others a pool of "
        f"which {_START}\nhave one label. Each round collects {_BATCH} labels from 20 annotators who are "
        "right 50 % to 90 % of the time.\n"
    )
    typer.echo(
        f"{'':9}{'ActiveLab':^38}  {'random choice':^26}\n"
        f"{'labels':>7}  {'test accuracy':>13} {'labels right':>12} {'re-labels':>10}"
        f"   {'test accuracy':>13} {'labels right':>12}"
    )
    # The matrices are small: threads of the linear algebra would only wait for one another.
    with threadpool_limits(1):
        history, rounds = _run(images, digit, seed)
        last = rounds[-1]
        _write(folder, history, last)
        figure = _draw(folder / "learning_curves.png", history)
        # In an environment that is not activated (as after `make demo`) the bare name would not be found.
        program = "activelab" if shutil.which("activelab") else sys.argv[0]
        if program.endswith(".py"):
            program = f"{sys.executable} -m activelab"
        pages = _make_project(folder, images, [one.labels for one in history[_OURS]], rounds, seed)
    right = history[_OURS][-1].labels_right, history["random"][-1].labels_right
    gain = history[_OURS][-1].test_accuracy - history["random"][-1].test_accuracy
    typer.echo(
        f"\nWith the same {history[_OURS][-1].labels.n_labels:,} labels the classifier is right on "
        f"{history[_OURS][-1].test_accuracy:.1%} of the test images with ActiveLab,\non "
        f"{history['random'][-1].test_accuracy:.1%} with random choice ({gain:+.1%}). "
        "Of the images that have labels,\n"
        f"{right[0]:.1%} have the right one by consensus with ActiveLab, {right[1]:.1%} with random choice. "
        "The last batch was asked for,\nnot answered: it is in batch.csv.\n"
        f"\nIn {folder}: labels.csv, pred_probs.csv, batch.csv (what to label next){figure}\n"
        "\nOn your own data, with a table of labels (example, annotator, label) and one of a model's\n"
        "out-of-sample probabilities (example, and a column for each class):\n"
        f"  {program} suggest {folder}/labels.csv --pred-probs {folder}/pred_probs.csv -o next.csv\n"
        f"  {program} consensus {folder}/labels.csv --pred-probs {folder}/pred_probs.csv -o consensus.csv\n"
        f"  {program} annotators {folder}/labels.csv --pred-probs {folder}/pred_probs.csv\n"
        f"\n{pages}\n  {program} demo --folder {folder} --serve"
    )


def _make_project(
    folder: Path, images: Any, labels: list[Labels], rounds: list[RoundResult], seed: int
) -> str:
    """A project with the labels and rounds of ActiveLab, unless there is one; what its pages are for."""
    how = "See the rounds on a dashboard, and label on in the browser:"
    if (folder / PROJECT).exists():
        return f"{folder / PROJECT} was there already and is as it was. {how}"
    try:
        from activelab.cli._demo_project import make_demo_project
    except ImportError:
        return f"{how}\n  pip install 'activelab[web]'"
    said = make_demo_project(folder / PROJECT, folder / "images", images, labels, rounds, seed)
    return f"The project made of it does not know the truth; it says:\n  {said}\n{how}"


@dataclass(frozen=True)
class _Measured:
    """A round of a method, and the share of the labelled images whose consensus label is right."""

    labels: Labels
    test_accuracy: float
    labels_right: float
    relabel_share: float


def _run(images: object, digit: object, seed: int) -> tuple[dict[str, list[_Measured]], list[RoundResult]]:
    """Both methods round by round, a line of the table each; and what ActiveLab's learner said in each."""
    import numpy as np

    from activelab.labels import Labels
    from activelab.learner import ActiveLearner
    from activelab.simulation import SimulatedTeam, Simulation, make_model, simulate_rounds
    from activelab.strategies import Strategy

    X, y = np.asarray(images) / BRIGHTEST, np.asarray(digit)
    order = np.random.default_rng(seed).permutation(len(y))
    test, pool = order[:_TEST], order[_TEST:]
    team = SimulatedTeam.heterogeneous(y[pool], _ANNOTATORS, 10, accuracy=(0.5, 0.9), seed=seed)
    started = np.arange(_START)
    first = np.random.default_rng(seed).integers(0, _ANNOTATORS, _START)
    labels = Labels(
        started,
        first,
        team.answer(started, first),
        examples=[f"image-{number:04d}" for number in pool],
        annotators=team.annotators,
        classes=10,
    )
    simulations = {
        method: Simulation(
            ActiveLearner(
                make_model(MODEL),
                method if method == _OURS else Strategy.of(method, consensus="crowdlab"),
                seed=seed,
            ),
            X[pool],
            y[pool],
            labels,
            team,
            X_test=X[test],
            truth_test=y[test],
            batch_size=_BATCH,
            seed=seed,
        )
        for method in (_OURS, "random")
    }
    runs = {method: simulate_rounds(one, _ROUNDS) for method, one in simulations.items()}
    history: dict[str, list[_Measured]] = {method: [] for method in runs}
    said = []
    for measured in zip(*runs.values(), strict=True):
        said.append(simulations[_OURS].learner.round_)
        for one, (method, simulation) in zip(measured, simulations.items(), strict=True):
            right = _labels_right(one.labels, simulation.learner.round_, y[pool])
            history[method].append(
                _Measured(one.labels, one.test_accuracy_averaged, right, one.relabel_share)
            )
        ours, other = history[_OURS][-1], history["random"][-1]
        typer.echo(
            f"{ours.labels.n_labels:>7,}  {ours.test_accuracy:>13.1%} {ours.labels_right:>12.1%} "
            f"{ours.relabel_share:>10.0%}   {other.test_accuracy:>13.1%} {other.labels_right:>12.1%}"
        )
    return history, said


def _labels_right(labels: Labels, said: RoundResult, truth: Any) -> float:
    """Share of the labelled images whose consensus label, as the pages of a project show it, is right."""
    from activelab.consensus import auto_consensus

    label = auto_consensus(labels, said.plan.models, seed=said.number).label
    return float((label == truth)[label >= 0].mean())


def _write(folder: Path, history: dict[str, list[_Measured]], last: RoundResult) -> None:
    import pyarrow as pa

    from activelab.tables import to_arrow, write_table

    write_table(folder / "labels.csv", history[_OURS][-1].labels.to_long("pyarrow"))
    probs = {str(name): last.pred_probs[0][:, k] for k, name in enumerate(last.classes)}
    examples = pa.array(last.examples.tolist())
    write_table(folder / "pred_probs.csv", pa.table({"example": examples, **probs}))
    write_table(folder / "batch.csv", to_arrow(last.batch.to_dict()))


def _draw(path: Path, history: dict[str, list[_Measured]]) -> str:
    """Draw the learning curves; what to say of them."""
    from activelab._extras import MissingPackageError
    from activelab.plots import learning_curves

    try:
        figure = learning_curves(
            {
                method: ([r.labels.n_labels for r in rounds], [r.test_accuracy for r in rounds])
                for method, rounds in history.items()
            },
            title="Handwritten digits: what the same labels buy",
        )
    except MissingPackageError as error:
        return f"\n({error})"
    figure.savefig(path, dpi=150)
    return f", {path.name}"
