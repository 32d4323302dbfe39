"""``activelab consensus``: the most likely label of every labelled example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab.cli._inputs import read_inputs
from activelab.cli._options import (
    Json,
    LabelsFile,
    OptionalPredProbsFiles,
    Output,
    Seed,
    TableFormat,
)
from activelab.cli._output import deliver, working
from activelab.cli._reading import Reading, reads_files
from activelab.cli._streams import target

if TYPE_CHECKING:
    from activelab._typing import Ids, Models
    from activelab.consensus import Consensus
    from activelab.labels import Labels


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
        "mace, one_coin_dawid_skene, mmsr, kos, or module:attribute of one of your own. auto: bayesian.",
        autocompletion=consensus_methods,
    ),
]


def check_method(method: str, *, with_models: bool) -> None:
    """Raise unless the method exists and has what it needs, before any file is read."""
    from activelab._errors import InputError
    from activelab.consensus import CONSENSUS

    if method != "auto" and CONSENSUS.get(method).needs_models and not with_models:
        raise InputError(f"method {method} needs the predictions of a model: give --pred-probs.")


def run_method(method: str, labels: Labels, models: Models, seed: int) -> tuple[Consensus, str, str]:
    """The consensus, the name of the method that gave it, and why that method."""
    from activelab.consensus import AUTO, CONSENSUS

    reason = "chosen with --method"
    if method == "auto":
        method, reason = AUTO, "with --pred-probs" if models else "without --pred-probs"
    return CONSENSUS.get(method).estimate(labels, models, seed=seed), method, reason


@reads_files
def consensus(
    labels: LabelsFile,
    pred_probs: OptionalPredProbsFiles = None,
    method: ConsensusMethod = "auto",
    reading: Reading = Reading(),  # noqa: B008
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
    format_: TableFormat = None,
) -> None:
    """The most likely label of every labelled example, and how far it can be trusted.

    \b
    Examples:
      activelab consensus labels.csv -o consensus.csv
      activelab consensus labels.csv --pred-probs probs.csv -o consensus.parquet
      activelab consensus labels.csv --method glad --label-column answer | sort -t, -k3 -g | head

    The table has the columns example, consensus_label, quality, agreement, num_labels and
    predicted_label, which is empty without probabilities.
    """
    from activelab.tables import to_arrow

    request = reading.request(labels, pred_probs)
    check_method(method, with_models=bool(pred_probs))
    output = target(output, format_, request.files)
    with working("Reading the files"):
        pool, models = read_inputs(request)
    with working("Estimating the consensus"):
        result, used, reason = run_method(method, pool, models, seed)
    columns = {**result.to_dict(), "predicted_label": _predicted(pool, models)}
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
        "n_models": len(models),
        "mean_quality": float(columns["quality"].mean()),
        "mean_agreement": float(columns["agreement"].mean()),
        "model_weight": result.model_weight,
        "notes": [*request.notes, *result.notes],
    }
    deliver(table, summary, output=output, as_json=as_json)


def _predicted(labels: Labels, models: Models) -> Ids:
    """Class the mean of the models predicts for each labelled example; None without models."""
    import numpy as np

    given = labels.labelled
    if not models:
        return np.full(int(given.sum()), None, dtype=object)
    total: Any = models[0][given].astype(np.float64)
    for model in models[1:]:
        total += model[given]
    predicted: Ids = labels.classes[total.argmax(axis=1)]
    return predicted
