"""One round of training: from the labels so far to the order in which examples are served.

Nothing waits for it: labels go on being answered while it runs, what it finds is written in small
transactions, and one short transaction serves it.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, select, update

from activelab._errors import InputError
from activelab._frames import as_frame
from activelab._kernels import blocks, normalised
from activelab._typing import Bools, Float64s, Ids, Ints, Models
from activelab.consensus import AnnotatorTable, Consensus, OrdinalAnnotatorTable
from activelab.consensus.parts import label_sums, scale_positions, vote_labels
from activelab.labels import Labels
from activelab.learner import ActiveLearner, Known, RoundResult
from activelab.pred_probs import check_pred_probs
from activelab.project._project import Project
from activelab.project.labelling import rounds
from activelab.project.labelling.decisions import truth_changes
from activelab.project.labelling.processes import process_name
from activelab.project.labelling.rounds import AlreadyTrainingError, Round
from activelab.project.labelling.shares import Dealt, dealt
from activelab.project.labelling.summary import AnnotatorAccuracy, RoundMetrics, RoundSummary
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.database import BusyError, StorageError
from activelab.project.store.schema import WHOLE, round_, round_array
from activelab.project.training.consensus import Judged, abstentions_beside, bulk_beside, judge, mean_rating
from activelab.project.training.due import enough
from activelab.project.training.embedding_map import draw_map
from activelab.project.training.predictions import load_pred_probs, parts, parts_of, read_predictions
from activelab.tables import naming

HEARTBEAT_SECONDS = 10.0
COMMITTEE = "committee"
"""Name among the models of a round of what its helpers say together."""

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
    settings = project.refresh(0)  # classes that change from now on give the round up
    with (
        _given_up_on_failure(project, begun.id),
        _heartbeat(project, begun.id, limit_hours, given_up or (lambda _: None)),
    ):
        say("reading the labels")
        find = _outcome_of_sets if settings.several else _outcome
        found = find(project, settings, begun, pred_probs, say)
        say("storing the round")
        _store(project, begun.id, found)
        _keep_up(project, begun.id, lambda c: rounds.extend_queue(c, settings, begun.id))
        metrics = found.metrics.model_copy(update={"seconds": round(time.perf_counter() - started, 3)})
        summary = found.summary.model_copy(
            update={"truth_changes": begun.summary.truth_changes, "metrics": metrics}
        )
        _write(project, lambda c: _publish(c, begun.id, found.size, summary))
    _forget_older_models(project, begun.id)
    return project.database.read(lambda c: rounds.get_round(c, begun.id))


def train_on_files(
    project: Project,
    files: Sequence[str | os.PathLike[str]],
    example_column: str | None = None,
    *,
    progress: Callable[[str], None] | None = None,
    limit_hours: float | None = None,
    given_up: Callable[[str], None] | None = None,
) -> Round:
    """`train_round` on the probabilities in files, or on models of the project if none is named.

    Then the map of the pool is drawn, if it has grown.

    Raises
    ------
    InputError
        As `train_round`, and if a file cannot be read; it knows the file.
    """
    given = [one for path in files for one in read_predictions(project, path, example_column)]
    # What is wrong with a single file has its place there; of several the message names the model.
    with naming(files[0]) if len(files) == 1 else nullcontext():
        try:
            done = train_round(
                project,
                pred_probs=given or None,
                progress=progress,
                limit_hours=limit_hours,
                given_up=given_up,
            )
        except InputError as error:
            if len(files) > 1:
                error.file = ", ".join(os.fspath(path) for path in files)
            raise
    # The round is served already; without a map the page of all examples has its list.
    with suppress(InputError, StorageError):
        draw_map(project)
    return done


# ------------------------------------------------------------------ a round that runs


def _begin(connection: Connection) -> Round:
    begun = rounds.begin_round(connection)
    running = RoundSummary(
        process=process_name(os.getpid()), truth_changes=truth_changes(connection)[0]
    ).stored()
    connection.execute(update(round_).where(round_.c.id == begun.id).values(summary=running))
    return rounds.get_round(connection, begun.id)


def _write(project: Project, work: Callable[[Connection], Any]) -> Any:
    """Write; SQLite may let others go first for longer than it waits."""
    for _ in range(_PATIENCE - 1):
        try:
            return project.database.write(work)
        except BusyError:
            continue
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


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What a round has found.

    Attributes
    ----------
    arrays : dict
        What is stored of each example: its place in the order, scores, consensus, quality, predictions.
    pred_probs : ndarray of float64, shape (n_models, n_examples, n_classes)
    metrics : RoundMetrics
    summary : RoundSummary
        Without what all rounds say.
    """

    arrays: dict[str, Any]
    pred_probs: Float64s
    metrics: RoundMetrics
    summary: RoundSummary

    @property
    def size(self) -> int:
        """Examples it knew."""
        return int(self.pred_probs.shape[1])


def _outcome(
    project: Project, settings: Settings, begun: Round, pred_probs: Any, say: Callable[[str], None]
) -> _Outcome:
    """A round of a question with one right answer."""
    labels = project.labels(begun.last_event)
    # Accounts that have labelled nothing are no annotators yet; the mean weight must not know them.
    labels = labels.select(annotators=labels.annotators[np.unique(labels.annotator)])
    known = project.known_truths()[: labels.n_examples]
    result, models = _ask(project, settings, begun, labels, known, pred_probs, say)
    order = result.plan.order().astype(np.int32)
    # What a class is called a probability by, whatever the method scores by. Beside what is known of an
    # example stays what annotators and models say of it.
    given = result.plan.models
    judged = judge(settings, labels, given, seed=settings.seed + begun.id)
    notes = list(dict.fromkeys([*result.notes, *judged.consensus.notes]))
    return _Outcome(
        _arrays(result, judged, order, given),
        result.pred_probs,
        _metrics(settings, known, result, judged, given, order),
        _summary(settings, judged.consensus, result, models, dealt(result.plan), notes),
    )


def _outcome_of_sets(
    project: Project, settings: Settings, begun: Round, pred_probs: Any, say: Callable[[str], None]
) -> _Outcome:
    """A round of a question with several right classes."""
    from activelab.project.training import several

    naming, seed = project.naming(), settings.seed + begun.id
    sets = project.label_sets(begun.last_event)
    known = several.known_sets(project.known_truths()[: sets.n_examples], naming)
    apart = several.set_abstentions_beside(project, sets, begun.last_event)
    if pred_probs is None:
        models, names = several.train_sets(project, settings, sets, known, apart, seed, say)
    else:
        models = several.given_probs(project, sets, pred_probs)
        names = [f"predictions {number}" for number in range(1, len(models) + 1)]
    say("scoring")
    families = project.families(sets)
    judged = several.judge_sets(sets, models, known=known, families=families, abstentions=apart)
    questions = several.questions_of(judged, settings, _eligible(project, sets.n_examples), seed)
    found = judged.members, several.predicted_sets(models)
    label, predicted = several.codes_of_sets(project, naming.version, *found)
    arrays = {
        "order": questions.example.astype(np.int32),
        "asked": questions.asked.astype(np.int32),
        "scores": questions.scores.astype(np.float32),
        "consensus": label,
        "quality": judged.quality.astype(np.float32),
        "exact": judged.exact.astype(np.float32),
        "predicted": predicted,
    }
    summary = RoundSummary(
        method=settings.method,
        models=names,
        annotators=several.accuracies_of(judged.consensus.annotators),
        notes=list(judged.consensus.notes),
    )
    number = project.num_labels(begun.last_event)
    metrics = several.metrics_of(judged, known, questions, settings.batch_size, number)
    return _Outcome(arrays, np.stack(models), metrics, summary)


def _ask(
    project: Project,
    settings: Settings,
    begun: Round,
    labels: Labels,
    known: Ints,
    pred_probs: Any,
    say: Callable[[str], None],
) -> tuple[RoundResult, list[str]]:
    model, X, outside = None, None, None
    if pred_probs is None:
        from activelab.project.training.models import has_features, load_pool, make_classifier, model_names

        given = has_features(project)
        model, names = make_classifier(settings, given), model_names(settings, given)
        say("reading the pool")
        X = load_pool(project, labels.n_examples)
    else:
        say("reading the predictions")
        outside = _aligned(project, labels, pred_probs)
        names = [f"predictions {number}" for number in range(1, len(outside) + 1)]
    # The seed of a round is that of the project plus its number, as in the core.
    learner = ActiveLearner(model, settings.strategy(), settings.cv, seed=settings.seed)
    learner.restore((_previous(project, labels), begun.id))
    say("training" if outside is None else "scoring")
    size = min(settings.batch_size, labels.n_examples)
    eligible = _eligible(project, labels.n_examples)
    learner.ask(
        X,
        labels,
        size,
        pred_probs=outside,
        eligible=eligible,
        known=known,
        families=project.families(labels),
        abstentions=abstentions_beside(project, labels, begun.last_event),
        bulk=bulk_beside(project, labels, begun.last_event),
    )
    left = learner.state()[0]
    if left is not None and left.committee:
        names = [*names, COMMITTEE]
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
    try:
        return list(check_pred_probs(given, pool))
    except InputError as error:
        if error.advice is not None:  # the pool and the classes are those of the project
            error.advice = "project_predictions"
        raise


def _previous(project: Project, labels: Labels) -> Known | None:
    """What the round that is served now leaves to the next; None if it had no model."""

    def load(connection: Connection) -> tuple[Round, list[Any]] | None:
        number = rounds.current_round(connection)
        found = load_pred_probs(connection, number)
        return (rounds.get_round(connection, number), found) if found else None

    known = project.database.read(load)
    # Of fewer examples or classes: the consensus starts from the votes.
    if known is None or known[1][0].shape != (labels.n_examples, labels.n_classes):
        return None
    last, models = known
    temperature = np.array(last.summary.temperature, dtype=np.float64)
    committee = last.summary.models[-1:] == [COMMITTEE]
    arrays = [one.astype(np.float64) for one in models]
    return Known(arrays, temperature, labels.examples, labels.classes, committee)


def _eligible(project: Project, size: int) -> Bools:
    """Everything but the examples whose label is known."""
    everything = np.arange(size)
    eligible = np.zeros(size, dtype=bool)
    eligible[project.database.read(lambda c: rounds.without_known(c, everything))] = True
    return eligible


def _summary(
    settings: Settings,
    consensus: Consensus,
    result: RoundResult,
    models: list[str],
    deal: Dealt | None,
    notes: list[str],
) -> RoundSummary:
    assessment, names = result.assessment, consensus.labels.annotators.tolist()
    summary = RoundSummary(
        method=settings.method,
        models=models,
        temperature=_plain(assessment.temperature),
        model_weight=_plain(assessment.model_weight),
        annotator_accuracy=_number(assessment.annotator_accuracy),
        annotator_weight=dict(zip(names, _plain(assessment.annotator_weight), strict=True)),
        annotators=_annotators(consensus.annotators),
        notes=notes,
    )
    if deal is None:
        return summary
    return summary.model_copy(update={"shares": deal.shares, "newcomer": deal.newcomer})


def _annotators(table: AnnotatorTable) -> dict[str, AnnotatorAccuracy]:
    columns = [table.accuracy, table.accuracy_low, table.accuracy_high, table.comparisons, table.voice]
    if isinstance(table, OrdinalAnnotatorTable):
        columns += [table.shift, table.spread]
    else:
        columns += 2 * [np.full(len(table), np.nan)]
    rows = zip(*(_plain(column) for column in columns), strict=True)
    return {
        str(name): AnnotatorAccuracy(
            accuracy=accuracy,
            low=low,
            high=high,
            comparisons=comparisons,
            voice=voice,
            too_few=bool(few),
            shift=shift,
            spread=spread,
        )
        for name, few, (accuracy, low, high, comparisons, voice, shift, spread) in zip(
            table["annotator"].tolist(), table.too_few.tolist(), rows, strict=True
        )
    }


def _metrics(
    settings: Settings,
    known: Ints,
    result: RoundResult,
    judged: Judged,
    models: Models,
    order: Ints,
) -> RoundMetrics:
    consensus, assessment = judged.consensus, result.assessment
    labels = consensus.labels
    # Any other consensus has seen the predictions of this round or of the one before, and would flatter.
    votes = vote_labels(labels, label_sums(labels), (), (), seed=settings.seed)
    said = np.where(known >= 0, known, votes)
    some = said >= 0
    right = assessment.predicted_label[some] == said[some]
    quality = np.where(known >= 0, 1.0, consensus.quality)[some]
    low, high = judged.estimate.expected_right(labels, models)
    labelled = _mean(labels.labelled[some]) or 0.0  # the others are known though nobody labelled them
    if judged.expected_error is None:
        expected = result.plan.forecast(settings.train_every or settings.batch_size)
        of_kind: dict[str, Any] = {
            "next_labels": expected.labels,
            "expected_errors": expected.errors_now,
            "errors_removed": expected.errors_removed,
        }
    else:
        least, most = judged.error_range(models)
        mean = mean_rating(labels)
        where = scale_positions(labels)
        mean[known >= 0] = where[known[known >= 0]]
        of_kind = {
            "cv_error": _mean(np.abs(where[assessment.predicted_label[some]] - mean[some])),
            "expected_error": _mean(np.where(known >= 0, 0.0, judged.expected_error)[some]),
            "error_low": _number(labelled * least),
            "error_high": _number(labelled * most),
        }
    return RoundMetrics(
        num_labels=labels.n_labels,
        num_labelled=int(labels.labelled.sum()),
        num_examples=labels.n_examples,
        relabel_share=_mean(labels.labelled[order[: settings.batch_size]]),
        cv_accuracy=_mean(right),
        expected_accuracy=_mean(quality),
        expected_low=_number(1 - labelled * (1 - low)),
        expected_high=_number(1 - labelled * (1 - high)),
        **of_kind,
        settled=result.plan.n_settled,
        ambiguous=result.plan.n_ambiguous,
    )


def _plain(values: Float64s | Ids) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: Any) -> float | None:
    return _number(float(np.mean(values))) if len(values) else None


# ------------------------------------------------------------------ what is stored


def _arrays(result: RoundResult, judged: Judged, order: Ints, models: Models) -> dict[str, Any]:
    assessment, consensus = result.assessment, judged.consensus
    predicted = assessment.predicted_label
    sure = np.empty(len(predicted), dtype=np.float32)
    for block in blocks(consensus.labels):
        believed = normalised(judged.estimate.log_prior(block, models))
        sure[block.index] = believed[np.arange(block.size), predicted[block.index]]
    arrays = {
        "order": order,
        "scores": assessment.scores.astype(np.float32),
        "consensus": consensus.label.astype(np.int32),
        "quality": consensus.quality.astype(np.float32),
        "target": assessment.consensus_label.astype(np.int32),
        "predicted": predicted.astype(np.int32),
        "sure": sure,
    }
    if judged.expected_error is not None:
        arrays["expected_error"] = judged.expected_error.astype(np.float32)
    return arrays


def _store(project: Project, number: int, found: _Outcome) -> None:
    """The arrays of a round, each in a transaction of its own; large ones in several."""
    arrays = {**found.arrays, **dict(parts_of(found.pred_probs))}
    order = arrays.pop("order")
    asked = arrays.pop("asked", np.full(len(order), WHOLE))
    planned = project.database.read(lambda c: rounds.wished_first(c, order, asked))
    _keep_up(project, number, lambda c: rounds.store_order(c, number, *planned))
    for name, values in arrays.items():
        _keep_up(project, number, lambda c, n=name, v=values: rounds.store_array(c, number, n, v))  # type: ignore[misc]


def _publish(connection: Connection, number: int, size: int, summary: RoundSummary) -> None:
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
