"""``activelab simulate`` and ``activelab reproduce``: experiments on annotators who err."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._whole import whole_file
from activelab.cli._kind import ClassPrice
from activelab.cli._output import deliver, progress_bar
from activelab.cli._plot import check_figure, draw
from activelab.cli._streams import STREAM

if TYPE_CHECKING:
    from activelab.simulation import Experiment, Panel

Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Trials run in parallel; -1 for one a core.")]


def _dataset_names() -> list[str]:
    from activelab.simulation import dataset_names

    return dataset_names()


def _kind_names() -> list[str]:
    from activelab.kinds import KINDS

    return KINDS.names()


def _list_datasets(wanted: bool) -> None:
    if wanted:
        from activelab.simulation import dataset_origins

        for name, origin in dataset_origins().items():
            typer.echo(f"{name:<20} {origin}")
        raise typer.Exit


def simulate(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Table of results; beside it FILE.parts to resume from.")
    ] = Path("results.parquet"),
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="TOML file that states the experiment.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="A name, or a folder; --datasets lists the names.",
            show_default="wall-robot",
            autocompletion=_dataset_names,
        ),
    ] = None,
    datasets: Annotated[
        bool,
        typer.Option(
            "--datasets", callback=_list_datasets, is_eager=True, help="List the datasets by name, and stop."
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help="extra-trees, mlp, knn, logistic-regression, linear-head, linear-heads, ensemble, or "
            "module:attribute.",
            show_default="extra-trees",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-m",
            metavar="METHODS",
            help="Methods or strategies: repeat the option, or put commas between. After helpers= or prices= "
            "a comma separates only before a method's name; a semicolon always does. Of ratings and sets "
            "expected_loss and random, if none are named.",
            show_default="activelab,random",
        ),
    ] = None,
    labelled: Annotated[
        int | None,
        typer.Option(help="Examples labelled at the start.", show_default="500, or a sixth of the dataset"),
    ] = None,
    unlabelled: Annotated[
        int | None,
        typer.Option(
            help="Other examples of the pool; -1 for all.", show_default="1500, or half of the dataset"
        ),
    ] = None,
    test: Annotated[
        int | None,
        typer.Option(
            help="Examples kept apart; 0 for the dataset's own.",
            show_default="its own, 1000, or a third of the dataset",
        ),
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Batches.", show_default="20")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Labels a batch.", show_default="100")] = None,
    trials: Annotated[
        int | None, typer.Option(help="Repetitions, each on other draws.", show_default="5")
    ] = None,
    annotators: Annotated[
        str | None,
        typer.Option(
            help="homogeneous, heterogeneous, class-conditional, adversarial, difficulty, raters, replay or "
            "module:attribute; of sets homogeneous, heterogeneous or replay.",
            show_default="replay if labels are recorded, else class-conditional; raters of ratings, "
            "heterogeneous of sets",
        ),
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Mean probability of an error.", show_default="0.15")
    ] = None,
    num_annotators: Annotated[int | None, typer.Option(help="Size of the team.", show_default="30")] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="single, one of several classes; ordinal, a point of a scale; multilabel, sets of classes.",
            show_default="that of the dataset",
            autocompletion=_kind_names,
        ),
    ] = None,
    class_price: ClassPrice = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.", show_default="0")] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="Draw the learning curves: .png, .pdf or .svg."),
    ] = None,
    jobs: Jobs = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")
    ] = False,
) -> None:
    """Compare methods where the truth is known: rounds of labelling by simulated or recorded annotators.

    Options override the configuration. What an interrupted run has finished is kept and not run again.

    \b
    Examples:
      activelab simulate --dataset digits --model logistic-regression --method activelab,random \\
        --rounds 10 --batch-size 50 --trials 3 -o digits.parquet
      activelab simulate --dataset labelme --annotators replay --config experiment.toml --jobs 2
      activelab simulate --dataset topics --model logistic-regression --class-price 0.3 -o topics.parquet

    Accuracies are printed; of ratings mean error and quadratic weighted kappa of the whole pool at the end,
    by labels and classifiers, of sets Hamming loss and mean F1 of the classes. A batch of sets costs as much
    as --batch-size whole answers.
    """
    from dataclasses import asdict, replace

    import numpy as np

    from activelab._errors import InputError
    from activelab.kinds import KINDS
    from activelab.simulation import Experiment, learning_curves_of, results_table, simulated_team
    from activelab.strategies import split_strategies
    from activelab.tables import check_output, to_arrow, write_table

    given = {
        "dataset": dataset,
        "model": model,
        "methods": tuple(split_strategies(";".join(method))) if method else None,
        "labelled": labelled,
        "unlabelled": unlabelled,
        "test": test,
        "rounds": rounds,
        "batch_size": batch_size,
        "trials": trials,
        "annotators": annotators,
        "noise": noise,
        "num_annotators": num_annotators,
        "kind": kind,
        "class_price": class_price,
        "seed": seed,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if config is None:
        stated = Experiment.fitting(dataset or Experiment.dataset, kind)
        if annotators is None and (noise is not None or num_annotators is not None):
            stated = replace(stated, annotators=simulated_team(stated.kind))  # one that can be made so
    else:
        stated = Experiment.from_toml(config)
    experiment = replace(stated, **changes)
    if str(output) == STREAM:
        raise InputError("the results are kept in a file, to go on from; name it with -o.")
    check_output(output, ())
    if figure is not None:
        check_figure(figure, (str(output),))
    if not output.parent.is_dir():
        raise InputError(f"{output.parent} is not a folder.")
    parts = output.with_name(f"{output.name}.parts")
    for _ in _run([("", experiment, parts)], jobs):
        write_table(output, results_table(experiment, parts))
    table = results_table(experiment, parts)
    write_table(output, table)
    headline = KINDS.get(experiment.kind).headline
    measures = {"final_accuracy": "test_accuracy"}
    if experiment.kind != "single":
        measures = {
            f"final_{name.removeprefix('pool_')}": name
            for name in table.column_names
            if name.startswith("pool_")
        }
    counted = measures[f"final_{headline}"]
    if figure is not None:
        draw(figure, {experiment.dataset: table}, counted)
    curves = learning_curves_of(table, counted)
    finals = {name: learning_curves_of(table, measure) for name, measure in measures.items()}
    compared = {
        "method": np.array(list(curves), dtype=object),
        **{
            name: np.array([one.final.mean() for one in several.values()]) for name, several in finals.items()
        },
        "area_under_curve": np.array([one.area.mean() for one in curves.values()]),
        "trials": np.array([len(one.final) for one in curves.values()]),
    }
    summary: dict[str, Any] = {
        "dataset": experiment.dataset,
        "model": experiment.model,
        "results": str(output),
        "notes": [],
    }
    if as_json:
        summary |= {"methods": compared, "experiment": asdict(experiment)}
    deliver(to_arrow(compared), summary, output=None, as_json=as_json)


def reproduce(
    figure: Annotated[
        str, typer.Argument(help="fig1, fig2, s1 to s5, noise, people, fine-tuned, or all but the last.")
    ],
    folder: Annotated[
        Path, typer.Option("--folder", "-f", help="Where results are kept and resumed from; made if missing.")
    ] = Path("reproduction"),
    published: Annotated[
        Path | None, typer.Option("--published", help="Table of published curves, drawn beside ours.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Markdown page to write, with the figures beside it.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Batches, instead of the paper's.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials, instead of the paper's.")] = None,
    jobs: Jobs = 1,
) -> None:
    """The paper's experiments with its settings, and the same on people's recorded labels.

    fig1: Wall Robot; fig2: CIFAR-10H on fixed embeddings; s1: new examples or another label; s2: Wall Robot
    with an MLP; s3, s4: Wall Robot Complete; s5: one label an example; noise: fig1 and s3 at the noise the
    paper states; people: product, sentiment-polarity, labelme and bluebirds, replayed; fine-tuned: fig2
    with networks fine-tuned on the images (extra torch, a GPU advised). Commas between several.

    \b
    Examples:
      activelab reproduce fig1 --jobs 2
      activelab reproduce all --published published_curves.csv --report results.md --jobs 2
    """
    from dataclasses import replace

    from activelab._errors import InputError
    from activelab.simulation import FIGURES, get_figure

    names = [name.strip() for name in figure.split(",")]
    if figure == "all":
        names = [name for name, one in FIGURES.items() if not one.needs_torch]
    changes: dict[str, Any] = {"rounds": rounds, "trials": trials}
    changes = {name: value for name, value in changes.items() if value is not None}
    panels = {
        name: [replace(p, experiment=replace(p.experiment, **changes)) for p in get_figure(name).panels]
        for name in names
    }
    if report is not None and not report.parent.is_dir():
        raise InputError(f"{report.parent} is not a folder.")
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).mkdir(exist_ok=True)
    units = [(f"{n} {p.name}: ", p.experiment, folder / n / p.name) for n in names for p in panels[n]]
    for _ in _run(units, jobs):
        pass
    page = [_INTRODUCTION.format(names=figure)]
    for name in names:
        page += _report(name, panels[name], folder, published, (report or folder / "x").parent)
    target = folder / "results.md" if report is None else report
    with whole_file(target) as file:
        file.write("\n".join(page).encode())
    typer.echo(f"{target}: the tables and figures of {', '.join(names)}")


def _run(units: Sequence[tuple[str, Experiment, Path]], jobs: int) -> Iterator[None]:
    """Run experiments one after the other with a bar on a terminal; yields as each trial is done."""
    from activelab.simulation import run_experiment

    done, total = 0, sum(len(experiment.methods) * experiment.trials for _, experiment, _ in units)
    with progress_bar() as show:
        show("", 0, total)
        for name, experiment, folder in units:
            for method, trial, _ in run_experiment(experiment, folder, n_jobs=jobs):
                done += 1
                show(f"{name}{method}, trial {trial}", done, total)
                yield


_INTRODUCTION = """# Results

Written by `activelab reproduce {names}` from the results it stores. Each trial draws its own data, team and
initial labels, which its methods share. Accuracy is that on examples kept apart, the mean over the fold
models (of the averaged models for an ensemble); the shaded bands of the figures are standard deviations
over the trials, the errors in the tables standard errors unless they say otherwise. The area under the
curve is the mean accuracy over the rounds. ActiveLab trains on the CROWDLAB consensus, the other methods on
the majority vote, as in the paper. Published numbers are read from the stored arrays of the paper's public
benchmark repository.
"""


def _report(
    name: str, panels: Sequence[Panel], folder: Path, published: Path | None, beside: Path
) -> list[str]:
    """A section of the page and the figure beside it."""
    from activelab.plots import compared_curves
    from activelab.simulation import (
        get_figure,
        learning_curves_of,
        read_published,
        results_table,
        summary_markdown,
    )
    from activelab.tables import write_table

    figure = get_figure(name)
    title = f"{name}: {figure.title}"
    lines, drawn = [f"## {title}", "", figure.note, "", f"![{title}]({name}.png)", ""], {}
    for panel in panels:
        table = results_table(panel.experiment, folder / name / panel.name)
        write_table(folder / name / f"{panel.name}.parquet", table)
        curves, known = learning_curves_of(table), panel.published
        others = read_published(str(published), known.benchmark, known.model) if published and known else []
        drawn[panel.title] = curves, others
        rows = table.to_pandas()
        start = rows[rows["round"] == 0]["consensus_accuracy"].mean()
        minutes, inside = rows["seconds"].sum() / 60, rows["fit_seconds"].sum() / rows["seconds"].sum()
        lines += [
            f"### {panel.title}",
            "",
            f"{panel.experiment.trials} trials of {panel.experiment.rounds} batches of "
            f"{panel.experiment.batch_size}; consensus accuracy at the start {start:.3f}; {minutes:.1f} "
            f"minutes of one core, {inside:.0%} of them inside the classifiers.",
            "",
            summary_markdown(curves, known),
        ]
    compared_curves(drawn).savefig(beside / f"{name}.png", dpi=110)
    return lines
