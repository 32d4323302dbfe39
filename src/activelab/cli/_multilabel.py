"""What the commands do with labels that are sets of classes (``--kind multilabel``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from activelab.cli._inputs import Request, read_sets, with_features
from activelab.cli._large import bar, facts_of, require_scale
from activelab.cli._output import working

if TYPE_CHECKING:
    from activelab.multilabel import LabelSets, QuestionBatch
    from activelab.strategies import Strategy

_REASON = "for answers of the kind multilabel"


def consensus_of_sets(request: Request, loss: str | None) -> tuple[Any, dict[str, Any]]:
    """Table and summary of ``activelab consensus``."""
    import numpy as np

    from activelab.kinds import MULTILABEL
    from activelab.multilabel.parts import predicted_sets
    from activelab.tables import to_arrow

    with working("Reading the files"):
        sets, models, abstentions = read_sets(request)
    with working("Estimating the consensus"):
        result = MULTILABEL.method(loss).estimate(sets, models, abstentions=abstentions)
    columns = result.to_dict()
    if models:
        given = tuple(model[sets.labelled] for model in models)
        columns["predicted_label"] = predicted_sets(given, sets.classes)
    else:
        columns["predicted_label"] = np.full(len(columns["example"]), None, dtype=object)
    table = to_arrow(columns)
    table = to_arrow(columns, {"predicted_label": table["consensus_label"].type})
    summary = {
        **_sizes(sets, len(models)),
        "mean_quality": float(columns["quality"].mean()) if len(table) else None,
        "mean_agreement": float(columns["agreement"].mean()) if len(table) else None,
        "notes": [*request.notes, *result.notes],
    }
    return table, summary


def annotators_of_sets(
    request: Request, n_bootstrap: int, seed: int, *, by_class: bool
) -> tuple[Any, dict[str, Any]]:
    """Table and summary of ``activelab annotators``; the agreement in it is a list of `Agreement`."""
    from activelab.kinds import MULTILABEL
    from activelab.tables import to_arrow

    with working("Reading the files"):
        sets, models, abstentions = read_sets(request)
    with working("Estimating consensus and agreement"):
        result = MULTILABEL.method().estimate(sets, models, abstentions=abstentions)
        agreement = MULTILABEL.agreement(sets, n_bootstrap=n_bootstrap, seed=seed)
    table = result.annotators
    columns = table.of_class if by_class else table.to_dict()
    summary = {
        **_sizes(sets, len(models)),
        "agreement": agreement,
        "notes": [*request.notes, *result.notes],
    }
    return to_arrow(worst_first(columns)), summary


def worst_first(columns: dict[str, Any]) -> dict[str, Any]:
    """Rows of annotators, or of their classes, the lowest quality first; what is not known comes last."""
    by = "quality" if "quality" in columns else "agreement_with_consensus"
    order = columns[by].argsort(kind="stable")
    return {name: values[order] for name, values in columns.items()}


def questions(
    request: Request,
    batch_size: int,
    strategy: Strategy,
    class_price: float | None,
    seed: int,
    classifier: tuple[Path, str] | None,
) -> tuple[Any, dict[str, Any]]:
    """Table and summary of ``activelab suggest``; ``classifier`` as in `activelab.cli._suggest`."""
    import pyarrow as pa

    from activelab.planning import plan_questions
    from activelab.tables import to_arrow

    with working("Reading the files"):
        sets, models, abstentions = read_sets(request)
        if classifier is not None:
            sets, X = with_features(sets, classifier[0], request.example_column, False)
    if classifier is None:
        with working("Scoring the pool"):
            plan = plan_questions(
                sets,
                models,
                strategy,
                batch_size,
                class_price=class_price,
                abstentions=abstentions,
                seed=seed,
            )
        batch, notes, n_models = plan.batch, (*plan.consensus.notes, *plan.batch.notes), len(models)
    else:
        from activelab.learner import ActiveLearner
        from activelab.simulation import make_model

        with working("Training"):
            learner = ActiveLearner(make_model(classifier[1]), strategy, seed=seed)
            batch = learner.ask(X, sets, batch_size, class_price=class_price, abstentions=abstentions)
        notes, n_models = learner.set_round_.notes, len(learner.set_round_.pred_probs)
    kind = to_arrow({"class": sets.classes})["class"].type if sets.n_classes else pa.string()
    return to_arrow(batch.to_dict(), {"class": kind}), {
        **_asked(batch),
        **_sizes(sets, n_models),
        "notes": [*request.notes, *notes],
    }


def questions_in_parts(
    labels: list[str],
    models: list[list[str]],
    batch_size: int,
    ask: str,
    class_price: float | None,
    **how: Any,
) -> tuple[Any, dict[str, Any]]:
    """Table and summary of ``activelab suggest`` of a pool that is read in parts."""
    import pyarrow as pa

    from activelab.tables import to_arrow

    with bar() as shown:
        found = require_scale().suggest_questions(
            labels,
            models,
            batch_size,
            ask=ask,
            class_price=class_price,
            progress=shown.advance,
            planned=shown.planned,
            **how,
        )
    about = {"method": "multilabel", "method_reason": _REASON}
    return to_arrow(found.batch.to_dict(), {"class": pa.string()}), {
        **_asked(found.batch),
        **about,
        **facts_of(found),
    }


def _asked(batch: QuestionBatch) -> dict[str, int]:
    whole = sum(name is None for name in batch.classes.tolist())
    return {"batch_size": len(batch), "whole_examples": whole, "single_classes": len(batch) - whole}


def _sizes(sets: LabelSets, n_models: int) -> dict[str, Any]:
    return {
        "method": "multilabel",
        "method_reason": _REASON,
        "labelled": int(sets.labelled.sum()),
        "pool": sets.n_examples,
        "n_labels": sets.n_answers,
        "annotators": sets.n_annotators,
        "classes": sets.n_classes,
        "n_models": n_models,
    }
