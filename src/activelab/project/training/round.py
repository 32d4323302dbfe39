"""One round of training: from the labels so far to the order in which examples are served.

Nothing waits for it: labels go on being answered while it runs, what it finds is written in small
transactions, and one short transaction serves it.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, select, update

from activelab._errors import InputError
from activelab._frames import as_frame
from activelab._typing import Float64s, Ids, Ints
from activelab.acquisition import Assessment
from activelab.consensus._majority_vote import vote_labels
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels
from activelab.learner import ActiveLearner, RoundResult
from activelab.pred_probs import check_pred_probs
from activelab.project._project import Project
from activelab.project.labelling import rounds
from activelab.project.labelling.processes import process_name
from activelab.project.labelling.rounds import AlreadyTrainingError, Round
from activelab.project.labelling.shares import dealt
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.database import StorageError
from activelab.project.store.schema import round_, round_array
from activelab.project.training.due import enough
from activelab.project.training.predictions import load_pred_probs, parts, parts_of
from activelab.selection import explain_batch, select_batch
from activelab.stopping import OPEN, example_states, forecast

HEARTBEAT_SECONDS = 10.0

_PATIENCE = 10  # tries to write to a file that others keep writing to


def train_round(
    project: Project,
    *,
    pred_probs: Any = None,
    progress: Callable[[str], None] | None = None,
    limit_hours: float | None = None,
    given_up: Callable[[str], None] | None = None,
) -> Round:
    """Train on the labels so far, score every example, and serve the new order.

    Parameters
    ----------
    project : Project
    pred_probs : array-like or dataframe, or a sequence of them, optional
        Out-of-sample probabilities from elsewhere in place of training; several are an ensemble. Rows of
        an array are the pool in its order; a dataframe with a column ``example`` is aligned by id.
    progress : callable, optional
        Told in words what happens now.
    limit_hours : float, optional
        Give the round up after so long.
    given_up : callable, optional
        Told why, in a thread of its own, if the round was given up meanwhile: it took too long, or somebody
        has cancelled it. What is computed is then refused when it is stored; this may end it before.

    Returns
    -------
    Round
        As published. Its summary has the method, models, temperature, weights, metrics and notes.

    Raises
    ------
    InputError
        If there are too few labels, or models or probabilities do not fit the project. Nothing changes.
    AlreadyTrainingError
        If another process is training, or has taken this one for dead.
    StorageError
    """
    say = progress or (lambda _: None)
    started = time.perf_counter()
    settings = project.refresh(0)
    why = project.database.read(enough) if pred_probs is None else None
    if why is not None:
        raise InputError(why)
    begun = _write(project, _begin)
    with (
        _given_up_on_failure(project, begun.id),
        _heartbeat(project, begun.id, limit_hours, given_up or (lambda _: None)),
    ):
        say("reading the labels")
        labels = project.labels(begun.last_event)
        # Accounts that have labelled nothing are no annotators yet; the mean weight must not know them.
        labels = labels.select(annotators=labels.annotators[np.unique(labels.annotator)])
        result, models = _ask(project, settings, begun, labels, pred_probs, say)
        say("storing the round")
        order = _order(project, settings, labels, result, settings.seed + begun.id)
        _store(project, begun.id, result, order)
        _keep_up(project, begun.id, lambda c: rounds.extend_queue(c, settings, begun.id))
        summary = _summary(settings, labels, result, order, models)
        summary |= dealt(settings, labels, result, order, settings.seed + begun.id)
        summary["metrics"]["seconds"] = round(time.perf_counter() - started, 3)
        _write(project, lambda c: _publish(c, begun.id, labels.n_examples, summary))
    _forget_older_models(project, begun.id)
    return project.database.read(lambda c: rounds.get_round(c, begun.id))


# ------------------------------------------------------------------ a round that runs


def _begin(connection: Connection) -> Round:
    begun = rounds.begin_round(connection)
    running = json.dumps({"process": process_name(os.getpid())})
    connection.execute(update(round_).where(round_.c.id == begun.id).values(summary=running))
    return begun


def _write(project: Project, work: Callable[[Connection], Any]) -> Any:
    """Write; SQLite may let others go first for longer than it waits."""
    for _ in range(_PATIENCE - 1):
        try:
            return project.database.write(work)
        except StorageError as error:
            if "another program holds it" not in str(error):
                raise
    return project.database.write(work)


def _keep_up(project: Project, number: int, work: Callable[[Connection], Any]) -> None:
    """Write a part of a round, unless somebody has given it up meanwhile."""

    def checked(connection: Connection) -> None:
        state = connection.execute(
            select(round_.c.state).where(round_.c.id == number).with_for_update()
        ).scalar_one()
        if state != "running":
            raise AlreadyTrainingError(
                f"round {number} took too long to show signs of life and was given up."
            )
        work(connection)

    _write(project, checked)


@contextmanager
def _given_up_on_failure(project: Project, number: int) -> Iterator[None]:
    """Whatever goes wrong inside, the round is marked as failed, and what was served goes on."""
    try:
        yield
    except BaseException as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, InputError):
            reason = (
                "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {reason}"
            )

        def give_up(connection: Connection) -> None:
            if rounds.get_round(connection, number).state == "running":
                rounds.fail_round(connection, number, reason[:500])

        try:
            _write(project, give_up)
        except StorageError as second:  # it will be found stale; the first error is the one to tell
            error.add_note(f"The round could not be marked as failed: {second}")
        raise


@contextmanager
def _heartbeat(
    project: Project, number: int, limit_hours: float | None, given_up: Callable[[str], None]
) -> Iterator[None]:
    """Signs of life from a thread of its own until the block ends, or the round is given up."""
    done, ends = threading.Event(), math.inf
    if limit_hours is not None:
        ends = time.monotonic() + limit_hours * 3600

    def beat(connection: Connection) -> str | None:
        if time.monotonic() > ends:
            rounds.fail_round(connection, number, f"it took longer than {limit_hours:g} hours")
        return rounds.heartbeat(connection, number)

    def beats() -> None:
        while not done.wait(min(HEARTBEAT_SECONDS, max(ends - time.monotonic(), 0.1))):
            try:
                why = project.database.write(beat)
            except StorageError:
                continue  # the next one may come through; if none does, the round counts as dead
            if why is not None and not done.is_set():
                given_up(why)
                return

    thread = threading.Thread(target=beats, name="activelab-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# ------------------------------------------------------------------ what is computed


def _ask(
    project: Project,
    settings: Settings,
    begun: Round,
    labels: Labels,
    pred_probs: Any,
    say: Callable[[str], None],
) -> tuple[RoundResult, list[str]]:
    model, X, outside = None, None, None
    if pred_probs is None:
        from activelab.project.training.models import load_pool, make_classifier, model_names

        width = project.database.read(lambda c: load_value(c, "num_features"))
        model, names = make_classifier(settings, width is not None), model_names(settings, width is not None)
        say("reading the pool")
        X = load_pool(project, labels.n_examples)
    else:
        say("reading the predictions")
        outside = _aligned(project, labels, pred_probs)
        names = [f"predictions {number}" for number in range(1, len(outside) + 1)]
    # The seed of a round is that of the project plus its number, as in the core.
    learner = ActiveLearner(model, settings.method, settings.cv, seed=settings.seed)
    learner.restore((_previous(project, labels), begun.id))
    say("training" if outside is None else "scoring")
    learner.ask(X, labels, 1, pred_probs=outside)
    return learner.round_, names


def _aligned(project: Project, labels: Labels, pred_probs: Any) -> list[Any]:
    """Probabilities from elsewhere as arrays over the pool, aligned by id where they carry ids."""
    import narwhals as nw

    def with_text(one: Any) -> Any:
        one = as_frame(one)
        frame = nw.from_native(one, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame) or "example" not in frame.columns:
            return one
        return frame.with_columns(nw.col("example").cast(nw.String)).to_native()  # ids are text in a project

    several = isinstance(pred_probs, list | tuple)
    given = [with_text(one) for one in pred_probs] if several else with_text(pred_probs)
    names = np.array(project.example_names()[: labels.n_examples], dtype=object)
    pool = Labels(
        labels.example, labels.annotator, labels.label,
        examples=names, annotators=labels.annotators, classes=labels.classes,
    )  # fmt: skip
    return list(check_pred_probs(given, pool))


def _previous(project: Project, labels: Labels) -> RoundResult | None:
    """The round that is served now, as far as the next one depends on it: its models and temperatures.

    None if it has none, or knew fewer examples or classes: then the consensus starts from the votes.
    """

    def load(connection: Connection) -> tuple[Round, list[Any]] | None:
        number = rounds.current_round(connection)
        found = load_pred_probs(connection, number)
        return (rounds.get_round(connection, number), found) if found else None

    known = project.database.read(load)
    if known is None or known[1][0].shape != (labels.n_examples, labels.n_classes):
        return None
    last, models = known
    size = labels.n_examples
    nothing, codes = np.full(size, np.nan), np.full(size, -1)
    assessment = Assessment(
        scores=nothing, consensus_label=codes, quality=nothing, predicted_label=codes,
        temperature=np.array(last.summary["temperature"], dtype=np.float64),
        model_weight=np.array(last.summary["model_weight"], dtype=np.float64),
        annotator_weight=np.ones(labels.n_annotators), annotator_accuracy=float("nan"), notes=(),
    )  # fmt: skip
    nobody = np.zeros(0, dtype=np.int64)
    return RoundResult(
        number=last.id, batch=explain_batch(labels, assessment, nobody), positions=nobody,
        training_label=codes, assessment=assessment, pred_probs=np.stack(models).astype(np.float64),
        examples=labels.examples, classes=labels.classes, fit_seconds=0.0, notes=(),
    )  # fmt: skip


def _order(project: Project, settings: Settings, labels: Labels, result: RoundResult, seed: int) -> Ints:
    """Everything the method considers, most worth labelling first, ties by lot; without gold examples.

    The project's batching decides about the first batch; the rest follow by their scores.
    """
    scores, models = result.assessment.scores, tuple(result.pred_probs)
    if settings.skip_settled:
        scores = np.where(example_states(labels, models) == OPEN, scores, np.inf)
    considered = int(np.isfinite(scores).sum())
    if not considered:
        return np.zeros(0, dtype=np.int64)
    order = select_batch(scores, considered, seed=seed)
    if settings.batching != "top":
        size = min(settings.batch_size, considered)
        batch = select_batch(scores, size, seed=seed, batching=settings.batching, models=models)
        order = np.concatenate([batch, order[~np.isin(order, batch)]])
    return project.database.read(lambda c: rounds.without_gold(c, order))


def _summary(
    settings: Settings, labels: Labels, result: RoundResult, order: Ints, models: list[str]
) -> dict[str, Any]:
    assessment = result.assessment
    # Any other consensus has seen the predictions of this round or of the one before, and would flatter.
    votes = vote_labels(labels, label_sums(labels), (), (), seed=settings.seed)[labels.labelled]
    right = assessment.predicted_label[labels.labelled] == votes
    return {
        "method": settings.method,
        "models": models,
        "temperature": _plain(assessment.temperature),
        "model_weight": _plain(assessment.model_weight),
        "annotator_accuracy": _number(assessment.annotator_accuracy),
        "annotator_weight": dict(
            zip(labels.annotators.tolist(), _plain(assessment.annotator_weight), strict=True)
        ),
        "metrics": {
            "num_labels": labels.n_labels,
            "num_labelled": int(labels.labelled.sum()),
            "num_examples": labels.n_examples,
            "relabel_share": _mean(labels.labelled[order[: settings.batch_size]]),
            "cv_accuracy": _mean(right),
            "expected_accuracy": _mean(assessment.quality[labels.labelled]),
            **_expected(settings, labels, result),
        },
        "notes": list(result.notes),
    }


def _expected(settings: Settings, labels: Labels, result: RoundResult) -> dict[str, float]:
    """Examples whose label is expected to be wrong, and how many of them the next round removes."""
    number = settings.train_every or settings.batch_size
    expected = forecast(labels, tuple(result.pred_probs), number)
    return {"expected_errors": expected.errors_now, "errors_removed": expected.errors_removed}


def _plain(values: Float64s | Ids) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: Any) -> float | None:
    return _number(float(np.mean(values))) if len(values) else None


# ------------------------------------------------------------------ what is stored


def _store(project: Project, number: int, result: RoundResult, order: Ints) -> None:
    """The arrays of a round, each in a transaction of its own; large ones in several."""
    assessment = result.assessment
    arrays = {
        "order": order,
        "scores": assessment.scores.astype(np.float32),
        "consensus": assessment.consensus_label.astype(np.int32),
        "quality": assessment.quality.astype(np.float32),
        "predicted": assessment.predicted_label.astype(np.int32),
    }
    arrays |= parts_of(result.pred_probs)
    for name, values in arrays.items():
        _keep_up(project, number, lambda c, n=name, v=values: rounds.store_array(c, number, n, v))  # type: ignore[misc]


def _publish(connection: Connection, number: int, size: int, summary: dict[str, Any]) -> None:
    """Serve the round; examples that were added while it was trained follow at its end."""
    settings = load_settings(connection)
    rounds.publish_round(connection, settings, number, summary)
    now = int(load_value(connection, "num_examples", 0))
    if now > size:
        rounds.append_to_order(connection, settings, np.arange(size, now))


def _forget_older_models(project: Project, number: int) -> None:
    """Delete the probabilities of rounds before; what a round was scored by stays in its scores."""

    for before, name in project.database.read(lambda c: parts(c, round_array.c.round_id < number)):
        part = (round_array.c.round_id == before) & (round_array.c.name == name)
        _write(project, lambda c, part=part: c.execute(delete(round_array).where(part)))  # type: ignore[misc]
