"""The files a command names, as checked `Labels` and model probabilities of one pool."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from activelab._errors import InputError, first

if TYPE_CHECKING:
    import pyarrow as pa

    from activelab._typing import Models
    from activelab.labels import Labels
    from activelab.multilabel import LabelSets
    from activelab.pred_probs import Checked

Pool = TypeVar("Pool", "Labels", "LabelSets")


@dataclass(frozen=True)
class Request:
    """What the user asked to read."""

    labels: Path
    pred_probs: Sequence[Path]
    classes: str | None
    examples: Path | None
    example_column: str | None
    annotator_column: str | None
    label_column: str | None
    keep: str
    format_: str | None = None
    question: str | None = None
    missing: Sequence[str] | None = None
    fold: bool = False
    several: bool = False
    abstain: Sequence[str] | None = None
    confidence: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are read."""
        optional = () if self.examples is None else (self.examples,)
        return tuple(os.fspath(path) for path in (self.labels, *self.pred_probs, *optional))


def read_inputs(request: Request) -> tuple[Labels, Checked]:
    """Labels over the whole pool, and one checked array a model, with what goes with the labels.

    Raises
    ------
    InputError
        If a file cannot be read, or labels and probabilities do not match; the message names the file.
    """
    words = listed_words(request.abstain)
    classes = () if request.classes is None else [*class_names(request.classes), *words]
    given, pool, models = _read(request, classes)
    names = _class_names(request.classes, models)
    if names is not None:
        names = [*names, *(word for word in words if word not in names)]
    given, known = _with_one_type_of_classes(given, names, fold=request.fold)
    labels = _labels(request, given, pool, known, models)
    labels, abstentions = _apart(request, labels, words, sort=names is None)
    confidence = _confidence(request, given, labels)
    return labels, _checked(request, labels, models, abstentions, confidence)


def read_sets(request: Request) -> tuple[LabelSets, Models, Labels | None]:
    """As `read_inputs`, of labels that are sets such as "a|b", and probabilities of their classes.

    What comes last is who could not tell.

    Raises
    ------
    InputError
        As `read_inputs`.
    """
    from activelab.multilabel import LabelSets, check_multilabel_probs
    from activelab.tables import naming

    if request.confidence is not None:
        raise InputError("--confidence is for answers of one class, not for --kind multilabel.")
    given, pool, models = _read(replace(request, several=True), ())
    names = _class_names(request.classes, models)
    labels = _labels(request, given, pool, None, models)
    labels, abstentions = _apart(request, labels, listed_words(request.abstain), sort=False)
    with naming(request.labels):
        sets = LabelSets.from_labels(labels, names)
    checked: list[Any] = []
    for path, model in zip(request.pred_probs, models, strict=True):
        with naming(path):
            for one in model if isinstance(model, list) else [model]:
                checked += check_multilabel_probs(one, sets)
    return sets, tuple(checked), abstentions


def _read(request: Request, classes: Sequence[str]) -> tuple[pa.Table, Any, list[Any]]:
    """The tables of labels, of the pool if any, and of each model, with ids of one type."""
    from activelab.formats import read_label_table

    roles = {
        "example": request.example_column,
        "annotator": request.annotator_column,
        "label": request.label_column,
    }
    given, notes = read_label_table(
        request.labels,
        request.format_,
        question=request.question,
        classes=classes,
        columns=roles,
        missing=listed_words(request.missing),
        several=request.several,
        fold=request.fold,
        beside=() if request.confidence is None else (request.confidence,),
    )
    request.notes.extend(notes)
    models = [_read_model(path, request.example_column) for path in request.pred_probs]
    pool = None if request.examples is None else _read_pool(request.examples, request.example_column)
    return _with_one_type_of_ids(given, pool, models)


_CANNOT_TELL = (
    "cannot tell, can't tell, cannot say, can't say, don't know, do not know, not sure, unsure, unclear, "
    "undecidable, unknown, idk, abstain, i don't know, i cannot tell, skip"
)
"""What people are offered for want of an answer; offered in a note, never guessed."""


def _apart(
    request: Request, labels: Labels, words: Sequence[str], *, sort: bool
) -> tuple[Labels, Labels | None]:
    """The labels without those that stand for "I cannot tell", and these."""
    classes = labels.classes.tolist()
    if not words:
        phrases = _CANNOT_TELL.split(", ")
        like = [str(name) for name in classes if str(name).casefold().replace("_", " ").strip() in phrases]
        if like and len(classes) > len(like):
            request.notes.append(
                f"the class {like[0]!r} reads like no answer: --abstain {like[0]!r} takes it for that, and "
                f"uses it; --missing {like[0]!r} leaves it out."
            )
        return labels, None
    chosen = [name for name in classes if str(name) in words]
    used = {str(labels.classes[code]) for code in set(labels.label.tolist())}
    unused = [word for word in words if word not in used and "," not in word]
    if unused:
        request.notes.append(f"--abstain: no label is {first(unused)}.")
    if not chosen:
        return labels, None
    if len(chosen) == len(classes):
        raise InputError("--abstain: every label stands for no answer.", file=request.labels)
    rest, abstentions = labels.set_apart(*chosen)
    return (_numbered(rest) if sort else rest), abstentions


def _numbered(labels: Labels) -> Labels:
    """With classes that are whole numbers in their order: beside a word they were read as text."""
    import numpy as np
    import pyarrow as pa

    from activelab import tables
    from activelab.labels import Labels as Table

    texts = [str(name) for name in labels.classes.tolist()]
    column = tables.integers_if_canonical(pa.chunked_array([pa.array(texts, pa.string())]))
    if pa.types.is_string(column.type):
        return labels
    values = column.to_numpy()
    order = np.argsort(values)
    rank = np.argsort(order)
    return Table(
        labels.example,
        labels.annotator,
        rank[labels.label],
        examples=labels.examples,
        annotators=labels.annotators,
        classes=values[order],
    )


def _confidence(request: Request, given: pa.Table, labels: Labels) -> Any:
    """How sure each label was, by the column of ``--confidence``; None without."""
    name = request.confidence
    if name is None:
        return None
    import numpy as np

    from activelab.consensus.parts import check_confidence
    from activelab.formats import BESIDE

    cells = given[BESIDE + name].to_pylist()
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            values[row] = np.nan if cell is None else float(cell)
        except ValueError:
            raise InputError(
                f"column {name!r} holds {cell!r}, which is no number.", file=request.labels, row=row
            ) from None
    columns = {role: given[role].to_numpy() for role in ("example", "annotator")} | {"confidence": values}
    if request.keep == "first":
        columns = {role: column[::-1] for role, column in columns.items()}
    return check_confidence(columns, labels)


def read_groups(groups: str, request: Request, labels: Labels) -> dict[Any, str]:
    """The group of each annotator, by a table of them or a column of the labels.

    Raises
    ------
    InputError
        If there is no such table or column, or somebody is in two groups.
    """
    from activelab.tables import naming, read_ids, sniff

    if Path(groups).is_file():
        path, person, column = Path(groups), None, None
    else:
        path, person, column = request.labels, request.annotator_column, groups
    with naming(path):
        table = read_ids(path, {"annotator": person, "group": column}, sniff(path))
        names, values = table["annotator"].to_pylist(), table["group"].to_pylist()
        found: dict[str, str] = {}
        for row, (name, value) in enumerate(zip(names, values, strict=True)):
            if name is None or value is None:
                continue
            if found.setdefault(str(name), str(value)) != str(value):
                raise InputError(
                    f"annotator {name!r} is in the groups {found[str(name)]!r} and {str(value)!r}.", row=row
                )
    return {one: found[str(one)] for one in labels.annotators.tolist() if str(one) in found}


def _read_model(path: Path, example_column: str | None) -> Any:
    """A table, or a list of arrays."""
    from activelab import tables

    if tables.is_array_file(path):
        return tables.read_arrays(path)
    return tables.read_pred_probs(path, example_column)


def _read_pool(path: Path, example_column: str | None) -> Any:
    from activelab import tables

    if path.suffix.lower() == ".txt":
        import pyarrow as pa

        return tables.integers_if_canonical(pa.chunked_array([pa.array(read_lines(path), pa.string())]))
    names = tables.column_names(path)
    chosen = example_column if example_column in names else None
    return tables.read_ids(path, {"example": chosen})["example"]


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file that are not blank.

    Raises
    ------
    InputError
        If there is no such text file, or it holds none; the message names it.
    """
    from activelab.tables import naming

    with naming(path):
        if not Path(path).is_file():
            raise InputError("is a folder, not a file." if Path(path).is_dir() else "no such file.")
        try:
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise InputError("is not UTF-8 text. Save it in the encoding UTF-8.") from None
        found = [line.strip() for line in lines if line.strip()]
        if not found:
            raise InputError("the file is empty.")
        return found


def _with_one_type_of_ids(given: pa.Table, pool: Any, models: list[Any]) -> tuple[pa.Table, Any, list[Any]]:
    """Ids that are numbers in one file and text in another are compared as text."""
    from activelab import tables

    with_ids = [at for at, model in enumerate(models) if not isinstance(model, list)]
    columns = [given["example"], *(models[at]["example"] for at in with_ids)]
    columns = tables.unify(columns if pool is None else [*columns, pool])
    models = list(models)
    for at, column in zip(with_ids, columns[1:], strict=False):
        models[at] = models[at].set_column(0, "example", column)
    given = given.set_column(0, "example", columns[0])
    return given, None if pool is None else columns[-1], models


def _class_names(option: str | None, models: list[Any]) -> list[str] | None:
    """The classes by ``--classes``, else by the columns of the first table of probabilities."""
    if option is None:
        tables = (model for model in models if not isinstance(model, list))
        return next((table.column_names[1:] for table in tables), None)
    return class_names(option)


def class_names(option: str) -> list[str]:
    """The classes of ``--classes``: a,b,c or a text file with one a line.

    Raises
    ------
    InputError
        If one is empty or listed twice, or there is no such file.
    """
    if option.startswith("@"):
        names = read_lines(option[1:])
    elif "," not in option and Path(option).is_file():
        names = read_lines(option)
    else:
        names = [name.strip() for name in option.split(",")]
    if "" in names:
        raise InputError(f"--classes {option}: a class is empty.")
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"--classes {option}: {first(twice)} is listed twice.")
    return names


def listed_words(option: Sequence[str] | None) -> list[str]:
    """Words of an option that is repeated or a,b; a number also as it is without a point."""
    from activelab.tables import without_point

    words = [word for text in option or () for word in (text, *text.split(","))]
    return list(dict.fromkeys(form for word in words for form in (word, without_point(word)) if form))


def _with_one_type_of_classes(
    given: pa.Table, names: list[str] | None, *, fold: bool
) -> tuple[pa.Table, Any]:
    """Labels and classes of one type; a label that is another spelling of a class's value is that class."""
    import pyarrow as pa

    from activelab import tables
    from activelab.formats import meeting

    if names is None:
        return given, None
    classes = tables.integers_if_canonical(pa.chunked_array([pa.array(names, pa.string())]))
    column, classes = tables.unify([given["label"], classes])
    if pa.types.is_string(column.type):
        column = tables.renamed(column, meeting(column.unique().to_pylist(), names, fold=fold))
    at = given.column_names.index("label")
    return given.set_column(at, "label", column), classes.to_pylist()


def _labels(request: Request, given: pa.Table, pool: Any, classes: Any, models: list[Any]) -> Labels:
    from activelab.labels import Labels
    from activelab.tables import naming

    examples = None
    if pool is not None:
        with naming(request.examples or ""):
            examples = _distinct(pool)
    elif any(isinstance(model, list) for model in models):
        examples = _row_numbers(request, given, models)
    with naming(request.labels), _placed(request.labels, given):
        labels = Labels.from_long(given, classes=classes, examples=examples, keep=request.keep)  # type: ignore[arg-type]
    if pool is None:
        for path, model in zip(request.pred_probs, models, strict=True):
            if not isinstance(model, list):
                with naming(path):
                    labels = labels.with_examples(model["example"].to_numpy(zero_copy_only=False))
    return labels


@contextmanager
def _placed(path: Path, given: pa.Table) -> Iterator[None]:
    """Tell errors the places in the file, where the rows of the table are not those of the file."""
    try:
        yield
    except InputError as error:
        if "row" in given.column_names:
            error.rows = tuple(given["row"][row].as_py() for row in error.rows)
        if "line" in given.column_names:
            error.file = os.fspath(path)
            error.lines = tuple(given["line"][row].as_py() for row in error.rows)
        raise


def _distinct(pool: Any) -> Any:
    from activelab._vocabulary import Vocabulary

    return Vocabulary(pool.to_numpy(), "example").values


def _row_numbers(request: Request, given: pa.Table, models: list[Any]) -> int:
    """Without ``--examples`` the rows of an array are examples 0 to n - 1, if the labels allow it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    path, arrays = next(
        (p, m) for p, m in zip(request.pred_probs, models, strict=True) if isinstance(m, list)
    )
    size = len(arrays[0])
    ids = given["example"]
    if pa.types.is_int64(ids.type) and pc.min(ids).as_py() >= 0 and pc.max(ids).as_py() < size:
        return size
    raise InputError(
        f"{path}: the rows of an array carry no ids, and the examples of {request.labels} are not the row "
        f"numbers 0 to {size - 1:,}. List the ids in the order of the rows with --examples FILE."
    )


def _checked(
    request: Request,
    labels: Labels,
    models: list[Any],
    abstentions: Labels | None = None,
    confidence: Any = None,
) -> Checked:
    from activelab.pred_probs import Checked, check_pred_probs
    from activelab.tables import naming

    checked: list[Any] = []
    for path, model in zip(request.pred_probs, models, strict=True):
        with naming(path):
            for one in model if isinstance(model, list) else [model]:
                checked += check_pred_probs(one, labels)
    if abstentions is not None:
        from activelab.consensus.parts import check_abstentions

        abstentions = check_abstentions(abstentions, labels)
    return Checked(checked, labels, abstentions=abstentions, confidence=confidence)


def with_features(
    labels: Pool, path: Path | None, example: str | None, pool_is_known: bool
) -> tuple[Pool, Any]:
    """The features in the order of the pool; of a table they name the pool if predictions do not."""
    import numpy as np

    from activelab.tables import is_array_file, naming, read_arrays, read_pred_probs, unify

    if path is None:
        return labels, None
    if is_array_file(path):
        array = read_arrays(path)[0]
        with naming(path):
            if array.ndim != 2 or len(array) != labels.n_examples:
                raise InputError(
                    f"has shape {array.shape}, and the pool {labels.n_examples:,} examples. Name them in "
                    "the order of the rows with --examples."
                )
        return labels, array
    table = read_pred_probs(path, example)
    with naming(path):
        ids = unify([table["example"]])[0].to_numpy(zero_copy_only=False)
        rows = {str(one): row for row, one in enumerate(ids.tolist())}
        if not pool_is_known:
            known = {str(one): one for one in labels.examples.tolist()}
            labels = labels.with_examples([known.get(str(one), one) for one in ids.tolist()])
        absent = [one for one in labels.examples.tolist() if str(one) not in rows]
        if absent:
            raise InputError(f"has no features of {len(absent):,} examples, first {absent[0]!r}.")
        order = [rows[str(one)] for one in labels.examples.tolist()]
        values = [table[name].to_numpy(zero_copy_only=False) for name in table.column_names[1:]]
        return labels, np.stack(values, axis=1)[order]
