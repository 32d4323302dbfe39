"""The one exception every check raises, the advice that goes with it, and the wording helpers it shares."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence

ADVICE = {
    "allow_remote": "Pass allow_remote=True if that is meant, and put a proxy with HTTPS before it: else "
    "passwords travel in the clear.",
    "class_columns": "Pass classes= to list every class, used or not, or leave these columns out.",
    "classes": "Pass classes= to Labels to list every class in the order of the columns, used or not.",
    "column": "Say which column holds the {column}.",
    "columns": "Pass classes= to Labels to list every class, used or not, or leave these columns out.",
    "content": "Name it in columns=Columns({column}=…).",
    "connect": "Connect it with label_studio.connect.",
    "label_config": "label_studio.labelling_config writes a configuration that asks what the project asks.",
    "ensemble": "Several files are an ensemble.",
    "example_field": "Give the link the example_field of the tasks that holds their ids, or connect a new "
    "project.",
    "examples": "Row i must be example i of the pool; pass examples= to Labels to list the whole pool, or "
    "give pred_probs as a dataframe with a column 'example' to align by id.",
    "image_root": "Pass it as image_root=.",
    "keep": "Pass keep='last' to keep the last label of each pair.",
    "leave_out": "Correct them, or leave them out with leave_out=True.",
    "media_folder": "Serve with media_folder=, or put them in a folder there and import a table of them.",
    "memory": "Give a larger memory.",
    "memory_or_workers": "Give a larger memory, or fewer workers.",
    "models": "Give pred_probs of shape (n_models, n_examples, n_classes), or use 'entropy' with a single "
    "model.",
    "pool": "Use labels.with_examples(ids) to add them to the pool.",
    "port": "Choose another port.",
    "project_predictions": "Row i of an array is example i of the project and column j its class j; a table "
    "has a column 'example' and one a class.",
    "question": "Choose one with question=.",
    "rows": "If row i is example i of the pool, give X.reset_index(drop=True), without a column of ids.",
    "scale": "Pass them as classes= to Labels.",
    "skip_known": "Pass over them with skip_known=True.",
    "start_again": "Call again; with a work_dir= only what rests on it is computed again.",
    "store_away": "With a work_dir= the same call goes on where it stopped.",
    "store_rights": "Credentials come from the environment or a profile, as for other programs of the store: "
    "of S3 AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "token": "Set it to a token of your Label Studio account, or name a file that holds one.",
    "unmatched": "Give the missing rows, or leave these examples out with unmatched='drop'.",
    "work_dir": "Pass it as work_dir=.",
    "work_dir_full": "Free some space, or give a work_dir on another disk.",
}
"""What to do, for who calls Python; a surface with other words has a table of its own with these keys.

``{column}`` stands for the column of the error.
"""


class InputError(ValueError):
    """Input that cannot be used; its text says what, where and what to do.

    Parameters
    ----------
    message : str
        What is wrong, one sentence; without the place and the advice, which are data.
    file : str or path, optional
        The file it is in.
    row : int or sequence of int, optional
        Positions of the offending rows in the table, counted from 0.
    column : str, optional
        The column it is about.
    example : object, optional
        Id of the example it is about.
    advice : str, optional
        Key of `ADVICE`: what to do about it.

    Attributes
    ----------
    problem : str
        The message.
    file : str or None
    rows : tuple of int
    lines : tuple of int
        Lines of ``file`` that ``rows`` stand in, counted from 1; empty if it is no text or not known.
    column : str or None
    example : object
    advice : str or None

    Examples
    --------
    >>> from activelab import InputError, Labels
    >>> try:
    ...     Labels.from_records([("a", "ann", 1), ("a", None, 0)])
    ... except InputError as error:
    ...     print(error)
    ...     print(error.rows, error.column)
    the annotator is empty (row 1, counted from 0).
    (1,) annotator
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | os.PathLike[str] | None = None,
        row: int | Sequence[int] | None = None,
        column: str | None = None,
        example: object = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.file = None if file is None else os.fspath(file)
        self.rows = () if row is None else tuple(row) if isinstance(row, Sequence) else (int(row),)
        self.lines: tuple[int, ...] = ()
        self.column, self.example, self.advice = column, example, advice

    @property
    def problem(self) -> str:
        """The sentence alone."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.worded(ADVICE)

    def worded(self, advice: Mapping[str, str]) -> str:
        """File, problem, place and advice as one text, with the advice in the words of a surface."""
        text = self.problem if self.file is None else f"{self.file}: {self.problem}"
        numbers, noun = (self.lines, "line") if self.lines else (self.rows, "row")
        if numbers:
            counted = "" if self.lines else ", counted from 0"
            plural = "s" if len(numbers) > 1 else ""
            text = f"{text.removesuffix('.')} ({noun}{plural} {' and '.join(map(str, numbers))}{counted})."
        told = advice.get(self.advice or "", "").replace("{column}", self.column or "")
        return f"{text} {told}" if told else text


def first(values: Iterable[object], limit: int = 10) -> str:
    """Name the first few values: ``'a', 'b', 'c' and 12 more``."""
    names = [repr(getattr(value, "item", lambda v=value: v)()) for value in values]
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit:,} more" if len(names) > limit else shown


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 label``, ``2,000 classes``."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def unknown(kind: str, name: object, known: Sequence[str]) -> InputError:
    """Error for a name that is not in a list, suggesting the nearest one."""
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
