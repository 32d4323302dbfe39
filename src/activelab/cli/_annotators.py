"""``activelab annotators``: how far each annotator can be trusted, and how far they agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError
from activelab.cli._consensus import ConsensusMethod, check_method, run_method
from activelab.cli._inputs import read_inputs
from activelab.cli._kind import KindOption, Scale, kind_in, kind_of
from activelab.cli._large import Large, check_for_consensus, consensus_in_parts, files_of
from activelab.cli._multilabel import annotators_of_sets, worst_first
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
    from activelab.agreement import Agreement
    from activelab.consensus import AnnotatorTable
    from activelab.kinds import Kind
    from activelab.multilabel import MultilabelAnnotatorTable


_NO_AGREEMENT = "how far annotators agree beyond chance is computed of pools that fit the memory alone."


@reads_files
def annotators(
    labels: ManyLabelsFiles,
    pred_probs: OptionalManyPredProbsFiles = None,
    method: ConsensusMethod = "auto",
    kind: KindOption = None,
    scale: Scale = None,
    by_class: Annotated[
        bool, typer.Option("--by-class", help="With --kind multilabel: a row an annotator and class.")
    ] = False,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples for the intervals of the agreement; 0 for none.")
    ] = 1000,
    reading: Reading = Reading(),  # noqa: B008
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
    format_: TableFormat = None,
    large: Large = Large(),  # noqa: B008
) -> None:
    """How far each annotator can be trusted; the summary says how far annotators agree beyond chance.

    \b
    Examples:
      activelab annotators labels.csv -o annotators.csv
      activelab annotators labels.csv --pred-probs probs.csv -o annotators.csv
      activelab annotators ratings.csv --scale 1,2,3,4,5 -o annotators.csv
      activelab annotators topics.csv --kind multilabel --by-class -o annotators.csv
      activelab annotators labels/ -p probs/ --memory 4GB -o annotators.csv
      activelab annotators labels.csv --json | jq '.agreement[0].value'

    Several files, patterns, folders, URLs and the options of large pools read Parquet in parts that fit
    the memory; the table is the same, and the summary leaves out the agreement.

    The table has a row an annotator, the lowest quality first, with the columns annotator, quality,
    agreement_with_consensus, accuracy with its 95 % interval (accuracy_low, accuracy_high), comparisons
    (with known answers, that would tell as much; fewer than 5 are too few to tell), weight, num_labels,
    num_overlapping (labels on examples that others labelled too), voice (voices a label counts for) and
    worst_class. Of ratings it also has shift (severity: how far the labels lie above the truth) and spread.
    Of sets it has sensitivity and specificity (how often a class is seen where it applies, and not seen where
    it does not) in place of intervals.
    """
    from activelab.tables import to_arrow

    answers, reading = kind_of(kind, scale, reading)
    models = files_of(pred_probs)
    files = [source(one) for one in labels]
    if large.asked(files, models):
        check_for_consensus(models, reading)
        check_method(method, with_models=True, kind=answers)
        _check_by_class(by_class, answers)
        if large.explain:
            large.print_plan(files, models, reading, as_json, consensus=method, kind=answers)
            return
        output = target(output, format_, [*files, *(name for names in models for name in names)])
        found, summary = consensus_in_parts(files, models, method, answers, reading, large, seed)
        summary["notes"] = [*summary["notes"], *_too_few(found.annotators), _NO_AGREEMENT]
        of_class = getattr(found.annotators, "of_class", None) if by_class else None
        table = to_arrow(worst_first(of_class or found.annotators.to_dict()))
        deliver(table, summary, output=output, as_json=as_json, absent="not estimable")
        return
    request = reading.request(Path(files[0]), [Path(names[0]) for names in models])
    answers, shown = kind_in(request.labels, answers, kind, scale, reading)
    request.notes.extend(shown)
    check_method(method, with_models=bool(pred_probs), kind=answers)
    output = target(output, format_, request.files)
    if answers.name == "multilabel":
        table, summary = annotators_of_sets(request, bootstrap, seed, by_class=by_class)
        summary["agreement"] = [_statistic(one) for one in summary["agreement"]]
        deliver(table, summary, output=output, as_json=as_json, absent="not estimable")
        return
    _check_by_class(by_class, answers)
    with working("Reading the files"):
        pool, probs = read_inputs(request)
    notes = answers.check(pool)
    with working("Estimating consensus and agreement"):
        result, used, reason = run_method(method, pool, probs, seed, kind=answers)
        agreement = answers.agreement(pool, n_bootstrap=bootstrap, seed=seed)
    summary = {
        "method": used,
        "method_reason": reason,
        "annotators": pool.n_annotators,
        "n_labels": pool.n_labels,
        "labelled": int(pool.labelled.sum()),
        "classes": pool.n_classes,
        "n_models": len(probs),
        "model_weight": result.model_weight,
        "agreement": [_statistic(one) for one in agreement],
        "notes": list(dict.fromkeys([*request.notes, *notes, *result.notes, *_too_few(result.annotators)])),
    }
    table = to_arrow(worst_first(result.annotators.to_dict()))
    deliver(table, summary, output=output, as_json=as_json, absent="not estimable")


def _check_by_class(by_class: bool, kind: Kind) -> None:
    if by_class and kind.name != "multilabel":
        raise InputError("--by-class goes with --kind multilabel.")


def _too_few(table: AnnotatorTable | MultilabelAnnotatorTable) -> list[str]:
    """A note that names those of whom too little is known, where that can be told."""
    from activelab._errors import first
    from activelab.consensus import AnnotatorTable

    if not isinstance(table, AnnotatorTable):
        return []
    few = table["annotator"][table.too_few]
    if not len(few):
        return []
    return [f"too few comparisons to tell how right {len(few):,} of the annotators are: {first(few[:11])}."]


def _statistic(one: Agreement) -> dict[str, Any]:
    names = ("name", "value", "low", "high", "n_items", "note")
    return {name: getattr(one, name) for name in names}
