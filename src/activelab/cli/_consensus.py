"""``activelab consensus``: the most likely label of every labelled example."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError
from activelab.cli._inputs import read_groups, read_inputs
from activelab.cli._kind import KindOption, LossOption, Scale, kind_in, kind_of
from activelab.cli._large import Large, check_for_consensus, consensus_in_parts, files_of
from activelab.cli._multilabel import consensus_of_sets
from activelab.cli._options import (
    Json,
    ManyLabelsFiles,
    OptionalManyPredProbsFiles,
    Output,
    Seed,
    TableFormat,
)
from activelab.cli._output import deliver, working
from activelab.cli._reading import Reading, reads_files
from activelab.cli._streams import source, target

if TYPE_CHECKING:
    from activelab._typing import Ids, Models
    from activelab.consensus import Consensus
    from activelab.kinds import Kind
    from activelab.labels import Labels
    from activelab.pred_probs import Checked


def consensus_methods() -> list[str]:
    """Names ``--method`` takes."""
    from activelab.consensus import CONSENSUS

    return ["auto", *CONSENSUS.names()]


ConsensusMethod = Annotated[
    str,
    typer.Option(
        "--method",
        "-m",
        help="crowdlab (needs probabilities), bayesian, majority_vote, dawid_skene, or by crowd-kit glad, "
        "mace, one_coin_dawid_skene, mmsr, kos, or module:attribute of one of your own. auto: bayesian, or "
        "ordinal with --kind ordinal.",
        autocompletion=consensus_methods,
    ),
]


def check_method(
    method: str, *, with_models: bool, kind: Kind | None = None, loss: str | None = None
) -> None:
    """Raise unless method and loss exist and have what they need, before any file is read."""
    from activelab.consensus import CONSENSUS

    if method != "auto":
        if loss is not None:
            raise InputError("--loss goes with --kind ordinal or multilabel, and no --method.")
        if kind is not None and kind.name == "multilabel":
            raise InputError("--kind multilabel has a method of its own: leave out --method.")
        if CONSENSUS.get(method).needs_models and not with_models:
            raise InputError(f"method {method} needs the predictions of a model: give --pred-probs.")
    if kind is not None:
        kind.method(loss)


def run_method(
    method: str,
    labels: Labels,
    models: Models,
    seed: int,
    *,
    kind: Kind | None = None,
    loss: str | None = None,
) -> tuple[Consensus, str, str]:
    """The consensus, the name of the method that gave it, and why that method."""
    from activelab.consensus import AUTO, CONSENSUS

    if method != "auto":
        return CONSENSUS.get(method).estimate(labels, models, seed=seed), method, "chosen with --method"
    if kind is None or kind.name == "single":
        result = CONSENSUS.get(AUTO).estimate(labels, models, seed=seed)
        return result, AUTO, "with --pred-probs" if models else "without --pred-probs"
    result = kind.method(loss).estimate(labels, models, seed=seed)
    return result, kind.name, f"for answers of the kind {kind.name}"


@reads_files
def consensus(
    labels: ManyLabelsFiles,
    pred_probs: OptionalManyPredProbsFiles = None,
    method: ConsensusMethod = "auto",
    kind: KindOption = None,
    scale: Scale = None,
    loss: LossOption = None,
    soft: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write soft labels there: for each example the share of each answer that the people "
            "would give, were all of them asked.",
            show_default=False,
            readable=False,
        ),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|FILE",
            help="Soft labels also of each group of annotators: a column of LABELS, or a table with the "
            "columns annotator, group.",
            show_default=False,
        ),
    ] = None,
    reading: Reading = Reading(),  # noqa: B008
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
    format_: TableFormat = None,
    large: Large = Large(),  # noqa: B008
) -> None:
    """The most likely label of every labelled example, and how far it can be trusted.

    \b
    Examples:
      activelab consensus labels.csv -o consensus.csv
      activelab consensus labels.csv --pred-probs probs.csv -o consensus.parquet
      activelab consensus ratings.csv --scale 1,2,3,4,5 -o consensus.csv
      activelab consensus labels.csv --abstain "cannot tell" --confidence sure -o consensus.csv
      activelab consensus labels.csv --soft soft.csv --groups language -o consensus.csv
      activelab consensus topics.csv --kind multilabel --loss f1 -o consensus.csv
      activelab consensus 'labels/*.parquet' -p s3://bucket/probs/ --memory 4GB -o consensus.parquet
      activelab consensus labels.csv --method glad --label-column answer | sort -t, -k3 -g | head

    Several files, patterns, folders, URLs and the options of large pools read Parquet in parts that fit
    the memory, and write Parquet, sorted by example; the consensus is the same.

    The table has the columns example, consensus_label, quality, agreement, num_labels and
    predicted_label, which is empty without probabilities. Of ratings it also has the mean of the posterior,
    between which points the truth lies with a probability of 0.9 (low, high), and what the label is expected
    to cost (expected_loss). Of sets the quality is the expected share of classes in which the set is right.
    Soft labels have the columns example and one a class; with groups also group, which is empty for everybody
    together.
    """
    from activelab.tables import to_arrow

    answers, reading = kind_of(kind, scale, reading)
    models = files_of(pred_probs)
    files = [source(one) for one in labels]
    if large.asked(files, models):
        if soft is not None or groups is not None:
            raise InputError("--soft and --groups are for pools that fit the memory.")
        _in_parts(files, models, method, answers, loss, reading, large, seed, as_json, output, format_)
        return
    request = reading.request(Path(files[0]), [Path(names[0]) for names in models])
    answers, shown = kind_in(request.labels, answers, kind, scale, reading)
    request.notes.extend(shown)
    check_method(method, with_models=bool(pred_probs), kind=answers, loss=loss)
    if groups is not None and soft is None:
        raise InputError("--groups goes with --soft FILE.")
    output = target(output, format_, request.files)
    if answers.name == "multilabel":
        if soft is not None:
            raise InputError("--soft is for answers of one class, not for --kind multilabel.")
        table, summary = consensus_of_sets(request, loss)
        deliver(table, summary, output=output, as_json=as_json)
        return
    soft = target(soft, inputs=(*request.files, str(output)))
    with working("Reading the files"):
        pool, probs = read_inputs(request)
        members = None if groups is None else read_groups(groups, request, pool)
    notes = (*answers.check(pool), *_unused(method, probs))
    with working("Estimating the consensus"):
        result, used, reason = run_method(method, pool, probs, seed, kind=answers, loss=loss)
    columns = {**result.to_dict(), "predicted_label": _predicted(pool, probs)}
    table = to_arrow(columns)
    table = to_arrow(columns, {"predicted_label": table["consensus_label"].type})
    summary = {
        "method": used,
        "method_reason": reason,
        "labelled": int(pool.labelled.sum()),
        "pool": pool.n_examples,
        "n_labels": pool.n_labels,
        "annotators": pool.n_annotators,
        "classes": pool.n_classes,
        "n_models": len(probs),
        "mean_quality": float(columns["quality"].mean()),
        "mean_agreement": float(columns["agreement"].mean()),
        "model_weight": result.model_weight,
        "notes": list(dict.fromkeys([*request.notes, *notes, *result.notes])),
    }
    if soft is not None:
        _write_soft(soft, pool, probs, members)
        summary["soft"] = str(soft)
    deliver(table, summary, output=output, as_json=as_json)


def _in_parts(
    labels: list[str],
    models: list[list[str]],
    method: str,
    kind: Kind,
    loss: str | None,
    reading: Reading,
    large: Large,
    seed: int,
    as_json: bool,
    output: Path | None,
    format_: str | None,
) -> None:
    """The consensus of a pool that is read in parts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    output = target(output, format_, [*labels, *(name for names in models for name in names)])
    check_for_consensus(models, reading)
    check_method(method, with_models=True, kind=kind, loss=loss)
    if large.explain:
        large.print_plan(labels, models, reading, as_json, consensus=method, kind=kind)
        return
    if output is None:
        raise InputError("the consensus of a pool in several files needs a file to go to: -o FILE.parquet.")
    found, summary = consensus_in_parts(labels, models, method, kind, reading, large, seed, output, loss)
    summary |= {"mean_quality": found.mean_quality, "mean_agreement": found.mean_agreement}
    head = next(pq.ParquetFile(output).iter_batches(10), None)
    shown = pq.read_schema(output).empty_table() if head is None else pa.Table.from_batches([head])
    deliver(shown, summary, output=output, as_json=as_json, written=found.n_labelled)


def _unused(method: str, models: Checked) -> list[str]:
    """A note where a method looks at labels alone."""
    given = {"--abstain": models.abstentions, "--confidence": models.confidence}
    names = [name for name, value in given.items() if value is not None]
    if not names or method in ("auto", "bayesian", "ordinal"):
        return []
    return [f"method {method} makes no use of {' and '.join(names)}; bayesian and ordinal do."]


def _write_soft(path: Path, labels: Labels, models: Checked, members: dict[Any, str] | None) -> None:
    """The soft labels of the labelled examples, or of all where there are predictions."""
    import numpy as np

    from activelab.consensus import soft_labels
    from activelab.tables import to_arrow, write_table

    with working("Estimating soft labels"):
        found = soft_labels(labels, models, groups=members)
    columns = found.to_dict()
    if not models:
        rows = np.tile(labels.labelled, len(found.groups) + 1)
        columns = {name: values[rows] for name, values in columns.items()}
    write_table(path, to_arrow(columns))


def _predicted(labels: Labels, models: Models) -> Ids:
    """Class the mean of the models predicts for each labelled example; None without models."""
    import numpy as np

    from activelab.consensus.parts import predicted_together

    given = labels.labelled
    if not models:
        return np.full(int(given.sum()), None, dtype=object)
    predicted: Ids = labels.classes[predicted_together(tuple(model[given] for model in models))]
    return predicted
