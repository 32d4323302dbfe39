"""What the insight functions return: the schema of the API, and what pages, report and commands show.

What cannot be estimated is None.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from activelab.project.labelling.naming import Named
from activelab.project.labelling.summary import AnnotatorAccuracy, RoundMetrics


class Result(BaseModel):
    """Something to show."""

    model_config = ConfigDict(frozen=True)


# ------------------------------------------------------------------ where the project stands


class Nothing(Result):
    """Why somebody gets no example."""

    reason: Literal["practice", "budget", "empty", "training", "share", "held", "seen", "done"] = Field(
        description="practice: you have to practise first. budget: it is spent. empty: there are no "
        "examples. training: a round is being trained, or is about to be. share: you have labelled what "
        "falls to you of this round. held: others are at work on what is left. seen: what is left you have "
        "answered. done: all of this round is labelled."
    )
    seconds: float | None = Field(
        description="Until there may be more: a training ends, if past ones say how long they take, or the "
        "first example that others hold comes back at the latest."
    )
    automatic: bool = Field(description="Whether the next round is trained without being asked for.")


class RoundNow(Result):
    """The round that is served."""

    number: int
    trained: bool = Field(description="Whether models or probabilities from elsewhere order it.")
    finished: float | None = Field(description="Seconds since 1970.")
    new_labels: int = Field(description="Labels it does not know yet.")
    new_truths: int = Field(
        description="Decisions and known answers it does not know yet; they count as labels do."
    )
    train_every: int = Field(description="After how many of them the next is trained.")
    share: float | None = Field(description="How much of that is done.")


class ClassUse(Result):
    """A class, and how much is said of it."""

    name: str
    answers: int = Field(description="Answers that name it; of one class alone also those that do not.")
    decisions: int
    known: int = Field(description="Known answers.")


class ClassEvent(Result):
    """A change of the classes that was made."""

    version: int
    time: float = Field(description="Seconds since 1970.")
    by: str | None = Field(description="Null for the command line.")
    action: Literal["rename", "merge", "split", "retire"]
    words: str = Field(description="What was done.")
    effect: str = Field(description="What became of answers.")
    why: str | None
    before: list[str]
    after: list[str]
    became: dict[str, list[str]] = Field(
        description="Of each class before that changed: one, several if it was split, none if it is gone."
    )


class Classes(Result):
    """The classes, and the changes of them, the latest first."""

    classes: list[ClassUse]
    changes: list[ClassEvent]


class ClassPreview(Result):
    """What a change of classes would do."""

    words: str
    effect: str
    after: list[str] = Field(description="The classes there would be.")


class Training(Result):
    """Whether a round is being trained, or should be."""

    state: Literal["running", "failed", "idle"]
    since: float | None = Field(description="When it began, in seconds since 1970, if one runs.")
    due: str | None = Field(description="Why a round is due.")
    automatic: bool
    error: str | None = Field(description="Of the last round, if it failed.")


class Overview(Result):
    """Where the project stands now."""

    title: str
    kind: str = Field(description="Text, image or table.")
    question: str = Field(description="Kind of question: single, ordinal or multilabel.")
    classes: list[str]
    method: str
    budget: int | None
    spent: float = Field(
        description="Labels collected here, of which one about a single class counts as the settings say."
    )
    left: float | None = Field(description="Of the budget, if there is one.")
    labels: int = Field(description="Imported ones too; each answer about a single class is one.")
    examples: int
    labelled: int = Field(description="Examples with a label.")
    gold: int = Field(description="Examples whose right answer is known.")
    decided: int = Field(description="Examples an adjudicator has decided.")
    abstentions: int = Field(description="Answers that say: I cannot tell; they are no labels.")
    skips: int = Field(description="Examples that somebody has passed over, counted by person.")
    annotators: int = Field(description="People with a label.")
    about: str | None = Field(default=None, description="The project whose examples it asks about.")
    questions: list[str] = Field(default=[], description="Projects that ask about the examples of this one.")
    open_leases: int = Field(description="Examples that somebody has in hand.")
    queue_length: int = Field(description="Examples of the round still to be served.")
    round: RoundNow | None
    training: Training


# ------------------------------------------------------------------ rounds


class CurvePoint(RoundMetrics):
    """What a round measured."""

    round: int
    finished: float | None = Field(description="Seconds since 1970.")
    seconds: float | None = Field(description="From its start to its end.")
    new_share: float | None = Field(description="Share of the batch that had no label.")


class RoundRow(CurvePoint):
    """A round with its models and what it measured."""

    state: Literal["running", "ready", "failed"]
    started: float
    last_event: int = Field(description="The round knows the answers up to this event.")
    method: str | None
    models: list[str]
    temperature: list[float | None]
    model_weight: list[float | None]
    annotator_accuracy: float | None
    notes: list[str]
    error: str | None


# ------------------------------------------------------------------ the headline

Verdict = Literal["pays", "does not pay"]


class Forecast(Result):
    """What the next batch is expected to mend, and whether that pays."""

    next_labels: int
    errors: float | None = Field(
        description="Examples whose label, or prediction where there is none, is expected to be wrong."
    )
    mended: float | None = Field(description="How many of them the next batch is expected to set right.")
    price: float | None = Field(description="Of the next batch; None without prices.")
    saved: float | None = Field(description="What those wrong labels would cost; None without prices.")
    verdict: Verdict
    sentence: str = Field(description="The verdict with its numbers, in words.")


class Headline(Result):
    """How many labels are right, and whether more labelling pays."""

    basis: Literal["checked", "expected", "unknown"] = Field(
        description="Checks by an audit or by known answers; else what the round expects of its labels."
    )
    share: float | None = Field(description="Share of the labels that is right, of a scale exactly.")
    low: float | None = Field(description="Of its interval.")
    high: float | None = Field(description="Of its interval.")
    confidence: float | None = Field(description="Of the interval, if labels were checked.")
    error: float | None = Field(
        description="Mean distance of the labels from the truth, of a scale; None where nothing tells it."
    )
    error_low: float | None = Field(description="Of its interval, if it is expected.")
    error_high: float | None = Field(description="Of its interval, if it is expected.")
    n_checked: int
    labels: int = Field(description="Labels the round has, decided and known ones too.")
    round: int | None = Field(description="The round they are of.")
    checks: int | None = Field(description="Labels an audit has to check for an interval of ± 2 of 100.")
    sentence: str = Field(description="The same in words.")
    audit: str = Field(description="What an audit would cost, in words; empty where labels were checked.")
    stale: str = Field(description="What is not in it yet, in words; empty if nothing.")
    forecast: Forecast | None = Field(description="None before the first trained round.")


# ------------------------------------------------------------------ people


class AnnotatorRow(Result):
    """Somebody who has answered something, or may."""

    id: int
    name: str
    role: Literal["annotator", "adjudicator", "admin"]
    disabled: bool
    labels: int = Field(description="All, imported ones too.")
    collected: int = Field(description="Labels asked for here.")
    skips: int
    unsure: int = Field(description="Answers that say: I cannot tell.")
    median_seconds: float | None = Field(description="Of the last 500 labels.")
    agreement: float | None = Field(
        description="With decisions, known answers and else the consensus of the current round; the majority "
        "vote before the first training."
    )
    agreement_n: int = Field(
        description="Over so many examples that others labelled too, or whose label is known."
    )
    accuracy: AnnotatorAccuracy | None = Field(
        description="How right their labels are, by the round that is served; None if it does not know them."
    )
    accuracy_words: str = Field(description="The same in words: right of 100, with the interval.")
    gold_accuracy: float | None
    gold_n: int


class PracticeResult(Result):
    """What somebody did of the examples to practise on, in the last attempt."""

    attempts: int
    right: int
    done: int
    of: int
    held: bool = Field(description="Whether they may not label yet.")
    words: str = Field(description="It in words.")
    sent: float | None = Field(default=None, description="When they were sent to practise again.")
    passed: float | None = Field(default=None, description="When they passed or were let in.")


class PersonRow(AnnotatorRow):
    """How somebody works."""

    practice: PracticeResult | None = None

    can_log_in: bool = Field(description="Whether a message would reach them.")
    removed: bool = Field(description="Whether their name and account were removed.")
    last_active: float | None = Field(description="Of answers given here, in seconds since 1970.")
    days: list[int] = Field(description="Labels given here on each of the last 14 days (UTC), today last.")
    flags: list[str] = Field(description="Why this person deserves a look, in words.")


class Confusion(Result):
    """Labels of somebody (columns) where another label counts (rows), by class."""

    classes: list[str]
    counts: list[list[int]]


class MessageRow(Result):
    """What somebody who leads wrote to a person."""

    text: str
    by: str | None = Field(description="None on the command line.")
    sent: float
    read: float | None = Field(description="None until they have said so.")


class PersonDetail(PersonRow):
    """How somebody works, and what they take for what."""

    confusion: Confusion | None = Field(description="Where one class is right.")
    messages: list[MessageRow] = Field(description="The last written to them, the latest first.")


class Coefficient(Result):
    """Agreement of everybody by one coefficient; low and high are a 95 % interval."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n_items: int
    n_labels: int
    note: str


class PairAgreement(Result):
    """How far each two annotators agree; the matrices are lists of rows."""

    annotators: list[str]
    left_out: int = Field(description="People with fewer labels who are not among them.")
    shared: list[list[int | None]] = Field(description="Examples both have labelled.")
    agreement: list[list[float | None]]
    kappa: list[list[float | None]] = Field(
        description="Cohen's; of a scale with quadratic weights, by which far misses count more."
    )
    overall: list[Coefficient]


# ------------------------------------------------------------------ examples


class Vote(Result):
    """An answer of somebody."""

    event: int
    annotator: str
    kind: Literal["label", "skip", "unsure"]
    label: Named | None
    asked: str | None = Field(
        description="The class it is about, which is the label or not; None where it is about all."
    )
    reason: str | None = Field(description="Of a skip; of any other answer a note.")
    bulk: bool = Field(default=False, description="Whether it was given to many examples at once.")
    flagged: bool = Field(default=False, description="Whether they ask for a look at it.")
    seconds: float | None
    time: float = Field(description="Seconds since 1970.")
    source: str
    accuracy: float | None = Field(
        default=None, description="Expected of the annotator by the round that is served."
    )


class Decision(Result):
    """What an adjudicator has decided."""

    label: Named
    annotator: str = Field(description="Who.")
    time: float = Field(description="Seconds since 1970.")
    note: str | None = None


class DecisionRow(Decision):
    """A decision that stands, beside what annotators and models say."""

    id: int
    example: str
    consensus: Named | None


class QualityHistogram(Result):
    """How many examples have a label of which quality: those of the current round, decided and known ones."""

    round: int | None
    edges: list[float] = Field(description="One more than counts.")
    counts: list[int]
    mean: float | None


class Estimates(Result):
    """What is known of an example and what the current round says of it; None where there is nothing."""

    label: Named | None = Field(
        default=None,
        description="The one that counts and is exported; a list where several classes may be right.",
    )
    source: Literal["adjudicated", "gold", "consensus", "single"] | None = Field(
        default=None,
        description="Where the label comes from: an adjudicator's decision, a known answer, the consensus of "
        "annotators and models, or the only label there is.",
    )
    quality: float | None = Field(
        default=None, description="How sure the label is; 1 if it is decided or known."
    )
    expected_error: float | None = Field(
        default=None, description="How far the label is expected to be from the truth, of a scale."
    )
    score: float | None = None
    consensus: Named | None = Field(
        default=None, description="What annotators and models say, whatever is decided."
    )
    predicted: Named | None = None


class QueueRow(Estimates):
    """An example that is served soon."""

    position: int
    id: int
    example: str
    asked: str | None = Field(description="The class that is asked about; None for the whole label.")
    kind: Literal["new", "relabel"]
    num_labels: int = Field(description="Of the example, or about the class that is asked about.")
    remaining: int = Field(description="Labels wanted in this round.")


class ScorePart(Result):
    """A term of the ActiveLab score, the weighted mean of what all say; without a weight a model alone."""

    who: str
    weight: float | None
    says: float | None = Field(description="The probability it lends the class in question.")


class Why(Estimates):
    """Why an example is where it is in the order."""

    id: int
    example: str
    round: int
    method: str | None
    kind: Literal["new", "relabel", "gold", "decided"]
    num_labels: int
    position: int | None = Field(description="In the order; None if the round leaves it out.")
    of: int = Field(description="How many the order has.")
    votes: list[Vote]
    annotator_accuracy: float | None = Field(description="P.")
    model_weight: list[float | None] = Field(description="w_M of each model.")
    annotator_weight: dict[str, float | None] = Field(description="w_j of those who labelled it.")
    temperature: list[float | None]
    parts: list[ScorePart] = Field(
        description="Empty where the score is not ActiveLab's, or answers changed since."
    )


class Like(Result):
    """An example that resembles another."""

    id: int
    example: str
    label: Named
    quality: float


class UnclearRow(Result):
    """An example that the guidelines do not decide."""

    id: int
    example: str
    annotator: str = Field(description="Who says so.")
    time: float = Field(description="Seconds since 1970.")
    note: str | None


class CaseFacts(Estimates):
    """An example somebody should decide."""

    id: int
    example: str
    why: Literal["skipped or unsure", "disagreement", "overruled by the model"]
    num_labels: int
    votes: list[Vote]
    like: list[Like] = Field(
        default=[], description="What lies nearest on the map and has a label of quality 0.9 or more."
    )


class Case(CaseFacts):
    """An example somebody should decide, with its content as it was imported."""

    content: dict[str, Any]


# ------------------------------------------------------------------ all examples


class AnswerCount(Result):
    """How many gave the same answer to an example."""

    kind: Literal["label", "skip", "unsure"]
    label: Named | None
    asked: str | None = Field(description="The class it is about; None where it is about all.")
    number: int


class BrowseFacts(Estimates):
    """An example that fits a search."""

    id: int
    example: str
    num_labels: int
    answers: list[AnswerCount] = Field(description="The most frequent first.")


class BrowseRow(BrowseFacts):
    """An example that fits a search, with its content as it was imported."""

    content: dict[str, Any]


class FoundExamples(Result):
    """Examples that fit a search."""

    total: int
    rows: list[BrowseRow]


class MapPoints(Result):
    """The examples as points: those that are alike lie close together. Lists by the examples' numbers."""

    x: list[int] = Field(description="From 0 to 1,000.")
    y: list[int] = Field(description="From 0 to 1,000.")
    label: list[int] = Field(
        description="Of the label that counts, its place among the classes; -1 for none and for sets."
    )
    quality: list[int] = Field(description="Of that label, in per cent; -1 for none.")


class ReasonCount(Result):
    """How many skips have a reason."""

    reason: str
    number: int


class Facets(Result):
    """What can be searched for."""

    annotators: list[str] = Field(description="Who has answered.")
    reasons: list[ReasonCount] = Field(description="Of skips, the most frequent first.")
    rounds: list[int]
    fields: list[str] = Field(description="Of the contents, beside text and image.")


# ------------------------------------------------------------------ plan


class ClassRow(Result):
    """How a class stands."""

    name: str
    examples: int = Field(description="Whose label is it, or holds it.")
    share: float | None = Field(description="Of all examples with a label.")
    quality: float | None = Field(description="Mean of these labels, where one class is right.")


class Plan(Result):
    """When labelling ends at the pace of these days, what it costs, and how the classes stand."""

    days: list[int] = Field(description="Labels given here on each of the last 14 days (UTC), today last.")
    pace: float | None = Field(description="Mean of the last seven, from the first with a label.")
    left: float | None = Field(description="Of the budget, in labels.")
    ends: float | None = Field(description="When it is spent at this pace, in seconds since 1970.")
    paid: float | None = Field(description="For the labels given here, where prices are set.")
    to_pay: float | None = Field(description="For the rest of the budget, at the mean price so far.")
    classes: list[ClassRow]
    confusion: Confusion | None = Field(
        description="What the model predicts (columns) where a label counts (rows), of one right class."
    )
    reasons: list[ReasonCount] = Field(description="Of skips, the most frequent first.")


# ------------------------------------------------------------------ audits

CONFIDENCE = 0.95


class AuditEstimate(Result):
    """Share of the labels that are right, estimated from those that were checked."""

    share: float
    low: float
    high: float
    confidence: float = Field(description="Of the interval from low to high.")
    error: float | None = Field(
        default=None, description="Mean distance of the labels from what is right, of a scale, by an audit."
    )
    n_checked: int = Field(description="Labels that were checked.")
    as_of: int = Field(description="The labels up to this event are judged.")
    round: int | None = Field(description="The round they are of; None before the first trained one.")
    basis: Literal["audit", "gold"] = Field(
        description="An audit, or known answers, which say as much only if they were chosen at random."
    )


class ClassShare(Result):
    """How common a class is; low and high are an interval."""

    label: str
    share: float
    low: float
    high: float


class AuditResult(Result):
    """An audit: what it asked for, and what its checks say of the labels as they were when it was drawn."""

    id: int
    time: float = Field(description="When it was drawn, in seconds since 1970.")
    by: str | None = Field(description="Who drew it; None for the command line.")
    seed: int
    drawn: int = Field(description="Labels to check.")
    checked: int
    wrong: int = Field(description="Checked labels that were wrong; the check has corrected them.")
    labels: int = Field(description="Labels there were, decided and known ones too.")
    known: int = Field(description="Of these decided or known: they count as right, and need no check.")
    estimate: AuditEstimate | None = Field(description="None before the first check.")
    stated: float = Field(description="Mean quality that was stated of the same labels.")
    classes: list[ClassShare] = Field(description="Empty before the first check.")
    epsilon: float
    delta: float
    checker_error: float = Field(description="How often those who check err, as was given.")
    safe: int = Field(
        description="Labels of which at most a share epsilon is wrong, with confidence 1 - delta."
    )
    sentence: str = Field(description="The result in words.")
