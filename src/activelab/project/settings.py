"""What a project is about and how it runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from activelab._errors import InputError, unknown
from activelab.project.store.schema import setting
from activelab.strategies import Strategy

KINDS = ("text", "image", "table")
ASSIGNMENT = ("open", "random", "round_robin", "thompson")

EMBEDDINGS = "sentence-embeddings"
"""Name of the model over sentence embeddings; ``sentence-embeddings/NAME`` chooses the network."""

_RANGES: dict[str, tuple[float, float]] = {
    "budget": (1, 1e12),
    "batch_size": (1, 1e9),
    "labels_per_round": (1, 100),
    "max_labels": (1, 10_000),
    "gold_rate": (0, 1),
    "lease_seconds": (10, 7 * 86_400),
    "cv": (2, 100),
    "train_every": (1, 1e9),
    "train_hours": (0.01, 10_000),
    "seed": (0, 2**31),
    "max_share": (0.001, 1),
    "label_price": (1e-9, 1e12),
    "error_cost": (1e-9, 1e12),
}


@dataclass(frozen=True)
class Settings:
    """Settings of a project; all but ``kind`` can be changed later.

    Attributes
    ----------
    title : str
    kind : {"text", "image", "table"}
        What the examples are.
    classes : tuple of str
        Names of the classes, in the order of their keys on the page. Classes can be added, not removed.
    guidelines : str
        What annotators should know; shown as plain text.
    method : str
        Acquisition method.
    models : tuple of str
        Import paths or names of classifiers (see `make_classifier`); several are an ensemble; none is the
        default for the kind of data.
    cv, seed : int
    batch_size : int
        Labels of a round.
    labels_per_round : int
        How many people may label one example in the same round.
    max_labels : int or None
        Labels an example may have.
    budget : int or None
        Labels to collect in all; imported ones do not count.
    gold_rate : float
        Share of the examples served whose right answer is known.
    lease_seconds : float
        How long an example is kept for the person it was served to.
    train_every : int or None
        Labels after which a new round is trained. None for the batch size.
    train_hours : float or None
        Hours after which a new round is trained, if there are new labels.
    automatic : bool
        Whether the server trains by itself at all.
    image_root : str or None
        Folder image files are read from.
    batching : {"top", "diverse", "stochastic"}
        How a round's batch follows from the scores (see `select_batch`).
    assignment : {"open", "thompson", "round_robin", "random"}
        Who labels. open: whoever asks, as much as they like. Else a round is dealt in advance (see
        `activelab.assign`), and everybody gets at most what fell to them.
    max_share : float
        Share of a round one annotator gets at most, if it is dealt.
    prices : tuple of str
        Price of a label of an annotator, as ``name=price``, for "thompson"; 1 for others.
    skip_settled : bool
        Ask no more about examples that are settled or that nobody can settle (see
        `activelab.stopping.example_states`).
    label_price, error_cost : float or None
        Price of a label and what a wrong label in the data costs: with both, the forecast says whether more
        labelling pays.
    """

    title: str = "Untitled project"
    kind: str = "text"
    classes: tuple[str, ...] = ()
    guidelines: str = ""
    method: str = "activelab"
    models: tuple[str, ...] = ()
    cv: int = 5
    seed: int = 0
    batch_size: int = 100
    labels_per_round: int = 1
    max_labels: int | None = None
    budget: int | None = None
    gold_rate: float = 0.0
    lease_seconds: float = 600.0
    train_every: int | None = None
    train_hours: float | None = None
    automatic: bool = True
    image_root: str | None = None
    batching: str = "top"
    assignment: str = "open"
    max_share: float = 1.0
    prices: tuple[str, ...] = ()
    skip_settled: bool = False
    label_price: float | None = None
    error_cost: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind", self.kind, KINDS)
        self.strategy()
        if (self.label_price is None) != (self.error_cost is None):
            raise InputError("label_price and error_cost belong together: give both or neither.")
        self.price_of()
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must lie between {low:g} and {high:g}, got {value!r}.")
        if len(set(self.classes)) < len(self.classes) or not all(self.classes):
            raise InputError(f"classes must be distinct names, got {', '.join(map(repr, self.classes))}.")

    def price_of(self) -> dict[str, float]:
        """The prices by name.

        Raises
        ------
        InputError
            If one is not ``name=price`` with a positive price.
        """
        found = {}
        for one in self.prices:
            name, _, price = one.rpartition("=")
            try:
                found[name] = float(price)
            except ValueError:
                found[name] = 0.0
            if not name or not 0 < found[name] < 1e12:
                raise InputError(f"prices are written name=price with a positive price, got {one!r}.")
        return found

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
        )

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some of them changed; checked as at the start.

        Raises
        ------
        InputError
            If a name is unknown, a value of another type or out of range, the kind changes, or a class is
            taken away or moved, or no model has the name.
        """
        kinds = {field.name: field.type for field in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in kinds:
                raise unknown("setting", name, list(kinds))
            checked[name] = _typed(name, value, str(kinds[name]))
        if checked.get("kind", self.kind) != self.kind:
            raise InputError("the kind of a project cannot be changed; make a new project.")
        classes = checked.get("classes", self.classes)
        if classes[: len(self.classes)] != self.classes:
            raise InputError(
                "classes can be added at the end, not removed, renamed or moved; those there are: "
                f"{', '.join(self.classes)}."
            )
        check_models(checked.get("models", ()))
        return replace(self, **checked)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


_IN_WORDS = {
    "str": "text",
    "tuple[str, ...]": "a list of texts",
    "bool": "yes or no",
    "int": "a whole number",
    "float": "a number",
}


def _typed(name: str, value: Any, kind: str) -> Any:
    if value is None and "None" in kind:
        return None
    if kind.startswith("tuple"):
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            return tuple(value)
    elif kind.startswith("bool"):
        if isinstance(value, bool):
            return value
    elif kind.startswith("int"):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind.startswith("float"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, str):
        return value
    words = _IN_WORDS[kind.removesuffix(" | None")] + (" or none" if "None" in kind else "")
    raise InputError(f"{name} should be {words}, got {value!r}.")


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
    """The settings stored in a database."""
    stored = {
        name: json.loads(value) for name, value in connection.execute(select(setting.c.name, setting.c.value))
    }
    kinds = {field.name: str(field.type) for field in fields(Settings)}
    return Settings(
        **{name: _typed(name, value, kinds[name]) for name, value in stored.items() if name in kinds}
    )


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
