"""What a project is about and how it runs.

`Settings` is the one place: types, ranges, defaults, words and headings of the API, of the page and of the
command line come from its fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Connection, bindparam, delete, insert, select

from activelab._errors import InputError, unknown
from activelab._set_text import SEPARATOR
from activelab.assignment import RULES
from activelab.consensus.parts import LOSSES
from activelab.project.class_notes import ClassNote, check_notes, parse_notes, rename_notes
from activelab.project.fields import Choice, Shown, Worded, change_of, input_error
from activelab.project.store.schema import setting
from activelab.selection import BATCHING
from activelab.strategies import Strategy, strategies

KINDS = ("text", "image", "audio", "video", "table")

FORMATS = ("plain", "markdown", "html")
"""How texts of examples are shown."""

QUESTIONS = ("single", "ordinal", "multilabel")
"""Kinds of question: names of `activelab.kinds.KINDS` that there are pages for."""

ASKS = ("examples", "classes", "either")
"""What may be asked where several classes may be right, as of `activelab.multilabel.suggest_questions`."""

EMBEDDINGS = "sentence-embeddings"
"""Name of the model over sentence embeddings; ``sentence-embeddings/NAME`` chooses the network."""


def _prices(prices: Iterable[str]) -> dict[str, float]:
    values = {}
    for text in prices:
        name, _, price = text.rpartition("=")
        try:
            values[name] = float(price)
        except ValueError:
            values[name] = 0.0
        if not name or not 0 < values[name] < 1e12:
            raise InputError(f"prices are written name=price with a positive price, got {text!r}.")
    return values


def _priced(prices: tuple[str, ...]) -> tuple[str, ...]:
    _prices(prices)
    return prices


def _families(families: Iterable[str]) -> dict[str, str]:
    members = {}
    for text in families:
        name, _, family = text.rpartition("=")
        if not name or not family.strip():
            raise InputError(f"families are written annotator=family, got {text!r}.")
        members[name] = family.strip()
    return members


def _related(families: tuple[str, ...]) -> tuple[str, ...]:
    _families(families)
    return families


def _distinct(classes: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(classes)) < len(classes) or not all(classes):
        raise InputError(f"classes must be distinct names, got {', '.join(map(repr, classes))}.")
    return classes


def _noted(lines: tuple[str, ...]) -> tuple[str, ...]:
    parse_notes(lines)
    return lines


def _terms(terms: tuple[str, ...]) -> tuple[str, ...]:
    for term in terms:
        inside = term.strip().removeprefix("*").removesuffix("*")
        if "*" in inside or not any(character.isalnum() for character in inside):
            raise InputError(f"terms are words, with * at their ends alone, got {term!r}.")
    return terms


def _two_ends(ends: tuple[str, ...]) -> tuple[str, ...]:
    if ends and len(ends) != 2:
        raise InputError(f"scale_ends are two texts, for the first and the last class, got {len(ends)}.")
    return ends


_Texts = Annotated[
    tuple[str, ...], BeforeValidator(lambda texts: tuple(texts) if isinstance(texts, list) else texts)
]
_PROJECT, _NEXT, _WHO = "The project", "What to label next", "Who labels, and how often"
_TRAINING, _COSTS = "Training", "What it costs"


_STORED = ContextVar("_STORED", default=False)
"""Whether settings come from a database: a part of one's own that is missing is told when it is needed."""


class Settings(Worded):
    """Settings of a project; all but ``kind`` can be changed later, and ``question`` until there are labels.

    Raises
    ------
    InputError
        If a name is unknown, or a value of another type or out of its range; the message says which.
    """

    title: Annotated[str, Field(title="Title"), Shown(_PROJECT, characters=(1, 200))] = "Untitled project"
    """What annotators read above the page."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: Annotated[
        str, Field(title="Kind of the examples"), Choice(lambda: KINDS, "kind"), Shown(_PROJECT, remote=False)
    ] = "text"
    """What the examples are; it stays as it was when the project was made."""

    question: Annotated[
        str, Field(title="Kind of question"), Choice(lambda: QUESTIONS, "question"), Shown(_PROJECT)
    ] = "single"
    """What is asked of an example. single: one of the classes. ordinal: a point of a scale; the classes are
    its points, from the lowest to the highest. multilabel: as many classes as fit, or none. It can be changed
    as long as there are no labels."""

    image_root: Annotated[
        str | None, Field(title="Folder of the media"), Shown(_PROJECT, none="no folder", remote=False)
    ] = None
    """Folder that images, audio, video and the pictures of the guidelines are read from."""

    classes: Annotated[
        _Texts,
        AfterValidator(_distinct),
        Field(title="Classes"),
        Shown(_PROJECT, none="none yet", lines=6, characters=(1, 200)),
    ] = ()
    """In the order of their keys on the page. Classes can be added at the end, not removed: the table of
    classes, and activelab classes, rename, merge, split and retire them."""

    class_notes: Annotated[
        _Texts,
        AfterValidator(_noted),
        Field(title="Notes on each class"),
        Shown(_PROJECT, none="none", lines=8, characters=(1, 2000), whole_lines=True),
    ] = ()
    """What the pages show of a class, such as: refund | key=r | colour=#cc3333 | group=Money | Wants money
    back. | e.g. I want a refund. Each part may be left out; a group may also stand in the name of a class, as
    in: Money > refund."""

    scale_ends: Annotated[
        _Texts,
        AfterValidator(_two_ends),
        Field(title="Ends of the scale"),
        Shown(_PROJECT, none="lowest and highest", lines=2, characters=(1, 60)),
    ] = ()
    """What the first and the last point of a scale mean, as in: not at all, completely. Shown on the page."""

    loss: Annotated[
        str, Field(title="What a wrong rating costs"), Choice(lambda: tuple(LOSSES), "loss"), Shown(_PROJECT)
    ] = "absolute"
    """What decides the consensus of ratings, and what is asked next. absolute: its distance from the truth.
    quadratic: the square of that. zero_one: the same however far off, so that the most probable point is the
    consensus."""

    guidelines: Annotated[
        str, Field(title="Guidelines"), Shown(_PROJECT, lines=8, characters=(0, 100_000))
    ] = ""
    """What annotators should know, in Markdown, shown beside the examples. Links open in a new tab; pictures
    are named by their path below the folder of the media, such as guide/seven.png."""

    text_format: Annotated[
        str, Field(title="How texts are shown"), Choice(lambda: FORMATS, "text_format"), Shown(_PROJECT)
    ] = "plain"
    """plain: as they are. markdown, html: with headings, lists, tables, code and links, and pictures below
    the folder of the media; everything else is left out, and nothing in them is ever run."""

    terms: Annotated[
        _Texts,
        AfterValidator(_terms),
        Field(title="Terms to highlight"),
        Shown(_PROJECT, none="none", lines=3, characters=(1, 100)),
    ] = ()
    """Words that are marked in texts, whatever their case and accents; a * at an end is for parts of words,
    as in refund* or *payment*."""

    autoplay: Annotated[bool, Field(title="Play audio and video by itself"), Shown(_PROJECT)] = False
    """Whether it starts with the example."""

    method: Annotated[str, Field(title="Method"), Choice(strategies, "method", own=True), Shown(_NEXT)] = (
        "recommended"
    )
    """Strategy or acquisition method: what makes an example worth the next label, and how is trained. By
    default expected_loss where the question is not single."""

    batching: Annotated[
        str, Field(title="Choice of a batch"), Choice(BATCHING.names, "batching", own=True), Shown(_NEXT)
    ] = "top"
    """How the batch of a round follows from the scores: the best, some of each kind, or a draw."""

    batch_size: Annotated[int, Field(title="Labels of a round", ge=1, le=10**9), Shown(_NEXT)] = 100
    """After so many labels the order is worth working out anew."""

    ask: Annotated[str, Field(title="Ask about"), Choice(lambda: ASKS, "ask"), Shown(_NEXT)] = "examples"
    """Of multilabel questions. examples: for the whole set of classes. classes: whether one class applies.
    either: whichever is expected to buy more for its price."""

    class_price: Annotated[
        float | None,
        Field(title="Price of a question about one class", ge=0.001, le=1),
        Shown(_NEXT, none="1 / number of classes"),
    ] = None
    """How much of a label it counts for in the budget, and against a whole example where either is asked. At
    1 / number of classes one class is always worth more than the whole; who has to read the example first
    works for more than that."""

    skip_settled: Annotated[bool, Field(title="Leave settled examples alone"), Shown(_NEXT)] = False
    """Ask no more about examples that are settled, or that nobody can settle."""

    seed: Annotated[int, Field(title="Seed", ge=0, le=2**31), Shown(_NEXT)] = 0
    """Number that all random draws start from; the same one gives the same order."""

    assignment: Annotated[
        str,
        Field(title="Who labels"),
        Choice(lambda: ("open", *RULES.names()), "assignment", own=True),
        Shown(_WHO),
    ] = "open"
    """open: whoever asks, as much as they like. Else a round is dealt in advance by this rule, and everybody
    gets at most what fell to them."""

    max_share: Annotated[
        float, Field(title="Share of a round for one person", ge=0.001, le=1), Shown(_WHO)
    ] = 1.0
    """At most so much of a round goes to one annotator, if it is dealt."""

    prices: Annotated[
        _Texts,
        AfterValidator(_priced),
        Field(title="Prices of annotators"),
        Shown(_WHO, none="1 each", lines=3, characters=(3, 200)),
    ] = ()
    """Price of a label of an annotator, as name=price, for the rule thompson; 1 for others."""

    families: Annotated[
        _Texts,
        AfterValidator(_related),
        Field(title="Annotators who err together"),
        Shown(_WHO, none="found by themselves", lines=3, characters=(3, 200)),
    ] = ()
    """Family of an annotator, as name=family: language models, or people who copy. Together their labels
    count for fewer voices. Copies are noticed anyway; who shares mistakes beyond that must be told."""

    labels_per_round: Annotated[
        int, Field(title="People who may label one example in a round", ge=1, le=100), Shown(_WHO)
    ] = 1
    """With more than one, several people see the same example before the next training."""

    max_labels: Annotated[
        int | None, Field(title="Labels one example may have", ge=1, le=10_000), Shown(_WHO, none="no limit")
    ] = None
    """An example with so many is not served again."""

    gold_rate: Annotated[
        float, Field(title="Share of examples with a known answer", ge=0, le=1), Shown(_WHO)
    ] = 0.0
    """So many of the examples served are ones whose right answer is known, to see how well people label."""

    training_examples: Annotated[
        int, Field(title="Examples to practise on first", ge=0, le=1000), Shown(_WHO)
    ] = 0
    """So many examples with a known answer each newcomer answers before all others, and is told after each
    what is right. They are no labels."""

    pass_mark: Annotated[
        float, Field(title="Share of them that has to be right", ge=0, le=1), Shown(_WHO)
    ] = 0.8
    """Whoever has fewer right may repeat, and is held until they pass or somebody who leads lets them in."""

    daily_goal: Annotated[
        int | None, Field(title="Goal of a day", ge=1, le=100_000), Shown(_WHO, none="none proposed")
    ] = None
    """So many answers a day are proposed to annotators, who choose their own goal."""

    bulk: Annotated[bool, Field(title="Answer similar examples together"), Shown(_WHO)] = False
    """Whether annotators may answer examples together, in a grid of those that lie close to each other and
    that the model is sure of. Such answers count for less in the consensus."""

    lease_seconds: Annotated[
        float, Field(title="Seconds an example is kept for a person", ge=10, le=7 * 86_400), Shown(_WHO)
    ] = 600.0
    """After that it goes to somebody else, unless it is answered, or the person is still at work."""

    leased_ahead: Annotated[
        int, Field(title="Examples taken ahead for a person", ge=1, le=200), Shown(_WHO)
    ] = 20
    """So many examples the page has at hand, and the work goes on with them while the network is away. Where
    few are left, nobody gets more than a share of them."""

    models: Annotated[
        _Texts,
        Field(title="Models"),
        Shown(_TRAINING, none="the default for the kind", lines=3, remote=False),
    ] = ()
    """Classifiers by name or import path; several are an ensemble."""

    cv: Annotated[int, Field(title="Folds of the cross-validation", ge=2, le=100), Shown(_TRAINING)] = 5
    """Predictions about an example come from models that have not seen its labels."""

    train_every: Annotated[
        int | None,
        Field(title="Train after how many labels", ge=1, le=10**9),
        Shown(_TRAINING, none="those of a round"),
    ] = None
    """After so many new labels a round is due."""

    train_hours: Annotated[
        float | None,
        Field(title="Train after how many hours", ge=0.01, le=10_000),
        Shown(_TRAINING, none="never"),
    ] = None
    """After so many hours a round is due, if there are new labels."""

    automatic: Annotated[bool, Field(title="Train a round by itself when it is due"), Shown(_TRAINING)] = True
    """Whether the server trains by itself at all."""

    budget: Annotated[
        int | None, Field(title="Budget: labels in all", ge=1, le=10**12), Shown(_COSTS, none="no limit")
    ] = None
    """Labels to collect; imported ones do not count."""

    label_price: Annotated[
        float | None, Field(title="Price of a label", ge=1e-9, le=1e12), Shown(_COSTS, none="not known")
    ] = None
    """With the cost of an error, the forecast says whether more labelling pays."""

    error_cost: Annotated[
        float | None, Field(title="Cost of a wrong label", ge=1e-9, le=1e12), Shown(_COSTS, none="not known")
    ] = None
    """What a wrong label in the data costs, in the unit of the price of a label."""

    def __init__(self, **values: Any) -> None:
        if values.get("question") in QUESTIONS and "method" not in values:
            values = {**values, "method": default_method(values["question"])}
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise input_error(type(self), error) from None

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if (self.label_price is None) != (self.error_cost is None):
            raise InputError("label_price and error_cost belong together: give both or neither.")
        if self.question != "single" and self.skip_settled:
            raise InputError(f"skip_settled is for single questions only, not for {self.question} ones.")
        if self.scale_ends and self.question != "ordinal":
            raise InputError("scale_ends are for ordinal questions only.")
        if self.loss != type(self).model_fields["loss"].default and self.question != "ordinal":
            raise InputError("loss is for ordinal questions only.")
        if self.ask != "examples" and not self.several:
            raise InputError(
                f"ask {self.ask!r} is for multilabel questions only, not for {self.question} ones."
            )
        if self.bulk and self.question != "single":
            raise InputError(f"bulk is for single questions only, not for {self.question} ones.")
        if self.ask == "either" and self.method == "random":
            raise InputError(
                "ask 'either' compares what questions are worth, which the method random does not."
            )
        if self.several:
            self._check_several()
        if self.class_notes and not _STORED.get():
            check_notes(self.class_notes, self.classes)
            if self.question == "ordinal" and any(note.group for note in self.notes.values()):
                raise InputError("class_notes: the points of a scale have no groups; take group= away.")
        if not _STORED.get():
            self.strategy()
        return self

    def _check_several(self) -> None:
        """Refuse what questions with several right classes cannot have."""
        odd = [name for name in self.classes if SEPARATOR in name or name != name.strip()]
        if odd:
            raise InputError(
                f"the class {odd[0]!r} cannot be one of several: files have {SEPARATOR!r} between classes, "
                "and lose blanks around a name."
            )
        from activelab.multilabel import SET_METHODS

        wanted = {"method": SET_METHODS, "batching": ("top",), "assignment": ("open",)}
        for name, values in wanted.items():
            value = getattr(self, name)
            if value not in values:
                raise InputError(
                    f"{name} {value!r} is not for multilabel questions; for these there is "
                    f"{' and '.join(values)}."
                )

    @property
    def several(self) -> bool:
        """Whether several classes may be right at once."""
        return self.question == "multilabel"

    @property
    def notes(self) -> dict[str, ClassNote]:
        """What is known of classes beside their names, by class."""
        return parse_notes(self.class_notes)

    @property
    def single_price(self) -> float:
        """What an answer about one class costs, in labels."""
        return 1 / max(len(self.classes), 1) if self.class_price is None else self.class_price

    @property
    def least_price(self) -> float:
        """The least that an answer costs, in labels."""
        return 1.0 if self.ask == "examples" else self.single_price

    def price_of_answer(self, asked: int) -> float:
        """What an answer costs, in labels: about the class of a code, or, if negative, the whole example."""
        return 1.0 if asked < 0 else self.single_price

    def cost_of(self, answers: int, single: int) -> float:
        """What answers cost, in labels, of which some are about one class."""
        return answers - single + single * self.single_price if single else answers

    def price_of(self) -> dict[str, float]:
        """The prices by name."""
        return _prices(self.prices)

    def family_of(self) -> dict[str, str]:
        """Families by the names of their members."""
        return _families(self.families)

    def strategy(self) -> Strategy:
        """How a round is planned.

        Raises
        ------
        InputError
            If a part is unknown or out of range.
        """
        return Strategy.of(
            self.method,
            batching=self.batching,
            assignment=None if self.assignment == "open" else self.assignment,
            max_share=self.max_share,
            skip_settled=self.skip_settled,
            prices=self.price_of(),
            # Of a scale the consensus is that of ratings, whatever the method goes with by default.
            decides="ordinal" if self.question == "ordinal" else "",
            loss=self.loss if self.question == "ordinal" and "loss=" not in self.method else None,
        )

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some of them changed; checked as at the start.

        Raises
        ------
        InputError
            If a name is unknown, a value of another type, too long or out of range, the kind changes, or a
            class is taken away or moved, or no model has the name.
        """
        try:
            checked = SettingsChange(**changes).model_dump(exclude_unset=True)
        except ValidationError as error:
            raise input_error(SettingsChange, error) from None
        if checked.get("kind", self.kind) != self.kind:
            raise InputError("the kind of a project cannot be changed; make a new project.")
        question = checked.get("question", self.question)
        if question != self.question:
            checked.setdefault("method", default_method(question))
        classes = checked.get("classes", self.classes)
        if classes[: len(self.classes)] != self.classes:
            raise InputError(
                "classes can be added at the end, not removed or moved here; to rename, merge, split or "
                "retire some, use the table of classes, or activelab classes. Those there are: "
                f"{', '.join(self.classes)}."
            )
        check_models(checked.get("models", ()))
        return Settings(**{**self.model_dump(), **checked})

    def reclassed(self, classes: Sequence[str], became: Mapping[str, tuple[str, ...]]) -> Settings:
        """These settings with other classes, and what goes with a class carried over.

        Parameters
        ----------
        classes : sequence of str
        became : mapping
            Of each class there is, what it becomes: one, several parts, or none.

        Raises
        ------
        InputError
            If a name is too long, or cannot be one.
        """
        one = {name: parts[0] if len(parts) == 1 else None for name, parts in became.items()}
        notes = rename_notes(self.class_notes, one)
        wanted: dict[str, Any] = {"classes": list(classes), "class_notes": list(notes)}
        try:
            SettingsChange(**wanted)
        except ValidationError as error:
            raise input_error(SettingsChange, error) from None
        return Settings(**{**self.model_dump(), **wanted})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return self.model_dump(mode="json")


def default_method(question: str) -> str:
    """The acquisition method of a kind of question, if none is named."""
    from activelab.kinds import KINDS

    return KINDS.get(question).with_features


SettingsChange = change_of(Settings, "SettingsChange", "Settings to change; those left out stay.")
"""What `Settings.changed` takes."""


def check_models(names: Iterable[str]) -> None:
    """Refuse names no model has; import paths are tried when they are trained.

    Raises
    ------
    InputError
        If a name is neither an import path, nor of sentence embeddings, nor of a model.
    """
    plain = [name for name in names if ":" not in name and name.partition("/")[0] != EMBEDDINGS]
    if plain:
        from activelab.simulation import model_names

        for name in plain:
            if name not in model_names():
                raise unknown("model (and no import path module:attribute)", name, model_names())


def load_settings(connection: Connection) -> Settings:
    """The settings stored in a database; what only other versions know is left out."""
    stored = connection.execute(select(setting.c.name, setting.c.value))
    known = Settings.model_fields
    values = {name: json.loads(value) for name, value in stored if name in known}
    token = _STORED.set(True)
    try:
        return Settings(**values)
    finally:
        _STORED.reset(token)


def store_settings(connection: Connection, settings: Settings) -> None:
    """Store settings in place of those there are."""
    values = settings.to_dict()
    connection.execute(delete(setting).where(setting.c.name.in_(list(values))))
    connection.execute(insert(setting), [{"name": n, "value": json.dumps(v)} for n, v in values.items()])


_VALUE = select(setting.c.value).where(setting.c.name == bindparam("name"))


def load_value(connection: Connection, name: str, default: Any = None) -> Any:
    """A value the program keeps for itself beside the settings."""
    found = connection.execute(_VALUE, {"name": name}).scalar()
    return default if found is None else json.loads(found)


def store_value(connection: Connection, name: str, value: Any) -> None:
    """Keep a value beside the settings."""
    connection.execute(delete(setting).where(setting.c.name == name))
    connection.execute(insert(setting).values(name=name, value=json.dumps(value)))
