"""An audit of files: the pool with what was drawn of it, the list that was filled in, and what both say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from activelab._errors import InputError, first
from activelab._kernels import tie_break
from activelab._typing import Ints
from activelab.audit import Audit, Checker, audit_report, class_shares, safe_labels
from activelab.labels import Labels
from activelab.tables import id_text, naming, read_ids, read_rows, row_columns

_COLUMNS = ("example", "label", "quality", "stratum", "position", "known")


# ------------------------------------------------------------------ drawn


def known_codes(
    path: Path, labels: Labels, example: str | None, label: str | None, missing: Sequence[str]
) -> Ints:
    """Codes of the right answers in a file, -1 elsewhere.

    Raises
    ------
    InputError
        If one is of no class of the labels.
    """
    places = {id_text(one): place for place, one in enumerate(labels.examples.tolist())}
    classes = {id_text(one) or "": code for code, one in enumerate(labels.classes.tolist())}
    codes = np.full(labels.n_examples, -1)
    for one, right in _answers(path, example, label, missing, classes):
        if one in places:
            codes[places[one]] = classes[right]
    return codes


def tables_of(
    drawn: Audit, known: Ints | None, labels: Labels, mix_in: int, seed: int
) -> tuple[pa.Table, pa.Table]:
    """What is to be filled in, and everything about every label."""
    order, known = drawn.examples, np.full(labels.n_examples, -1) if known is None else known
    if mix_in:
        rest = np.flatnonzero((known >= 0) & (drawn.label >= 0))
        chosen = rest[np.argsort(tie_break(seed, labels.tie_keys(rest)), kind="stable")[:mix_in]]
        turns = [(np.arange(len(some)) + 0.5) / max(len(some), 1) for some in (order, chosen)]
        order = np.concatenate([order, chosen])[np.argsort(np.concatenate(turns), kind="stable")]
    names = [id_text(one) for one in labels.classes.tolist()]
    ids = [id_text(one) for one in labels.examples.tolist()]
    inside, position = np.flatnonzero(drawn.label >= 0), np.full(labels.n_examples, -1)
    position[order] = np.arange(len(order))
    taken = np.bincount(drawn.stratum[drawn.examples], minlength=len(drawn.size))
    stratum = drawn.stratum[inside]
    inclusion = (taken / np.maximum(drawn.size, 1))[np.maximum(stratum, 0)]
    to_check = {
        "example": pa.array([ids[code] for code in order.tolist()], pa.string()),
        "label": pa.nulls(len(order), pa.string()),
    }
    pool = {
        "example": pa.array([ids[code] for code in inside.tolist()], pa.string()),
        "label": pa.array([names[code] for code in drawn.label[inside].tolist()], pa.string()),
        "quality": pa.array(drawn.quality[inside]),
        "stratum": pa.array(stratum, mask=stratum < 0),
        "inclusion": pa.array(inclusion, mask=stratum < 0),
        "position": pa.array(position[inside], mask=position[inside] < 0),
        "known": pa.array(
            [names[code] if code >= 0 else None for code in known[inside].tolist()], pa.string()
        ),
    }
    return pa.table(to_check), pa.table(pool)


def _answers(
    path: Path,
    example: str | None,
    label: str | None,
    missing: Sequence[str],
    classes: Collection[str] | None = None,
) -> list[tuple[str, str]]:
    """Example and class of the rows that have one."""
    table = read_ids(path, {"example": example, "label": label}, missing=missing)
    rows = zip(table["example"].to_pylist(), table["label"].to_pylist(), strict=True)
    pairs = [(id_text(one) or "", id_text(right) or "") for one, right in rows if right is not None]
    if classes is not None:
        strange = [right for _, right in pairs if right not in classes]
        with naming(path):
            if strange:
                raise InputError(f"{strange[0]!r} is none of the classes {first(list(classes))}.")
    return pairs


# ------------------------------------------------------------------ checked


@dataclass(frozen=True, eq=False)
class CheckedPool:
    """A pool with its checks.

    Attributes
    ----------
    examples : list of str
    classes : list of str
    audit : Audit
    known : ndarray of int, shape (n_examples,)
    given : dict of int to list of int
        By position in the pool what was filled in, in the order of the list.
    """

    examples: list[str]
    classes: list[str]
    audit: Audit
    known: Ints
    given: dict[int, list[int]]

    @property
    def truth(self) -> Ints:
        """The right class of each drawn example, -1 unchecked."""
        return np.array([self.given.get(place, [-1])[0] for place in self.audit.examples.tolist()])


def read_pool(pool: Path, checks: Path, missing: Sequence[str]) -> CheckedPool:
    """The two files of an audit.

    Raises
    ------
    InputError
        If they are not what ``activelab audit draw`` wrote.
    """
    with naming(pool):
        absent = [name for name in _COLUMNS if name not in row_columns(pool)]
        if absent:
            raise InputError(f"has no column {first(absent)}. Name the file that audit draw wrote to --pool.")
        rows = [row.values for row in read_rows(pool)]
        try:
            examples = [id_text(row["example"]) or "" for row in rows]
            labels = [id_text(row["label"]) or "" for row in rows]
            quality = np.array([float(row["quality"]) for row in rows])
            stratum, position = (
                np.array([-1 if row[name] in (None, "") else int(row[name]) for row in rows])
                for name in ("stratum", "position")
            )
            answered = [id_text(row["known"]) for row in rows]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"is not what audit draw wrote: {error}.") from None
    answers = _answers(checks, "example", "label", missing)
    places = {name: place for place, name in enumerate(examples)}
    names = sorted({*labels, *filter(None, answered), *(label for _, label in answers)})
    codes = {name: code for code, name in enumerate(names)}
    given: dict[int, list[int]] = {}
    for example, filled in answers:
        if example not in places or position[places[example]] < 0:
            with naming(checks):
                raise InputError(
                    f"{example!r} was not drawn. Give the list that audit draw wrote, filled in."
                )
        given.setdefault(places[example], []).append(codes[filled])
    known = np.array([codes[name] if name else -1 for name in answered], dtype=np.int64)
    label = np.array([codes[name] for name in labels], dtype=np.int64)
    drawn = np.flatnonzero((position >= 0) & (stratum >= 0))
    drawn = drawn[np.argsort(position[drawn])]
    agreed = (label == known)[known >= 0]
    return CheckedPool(
        examples, names, Audit(label, quality, stratum, drawn, agreed, len(codes)), known, given
    )


def checker_of(error: float | None, answers: str | None) -> Checker | None:
    """The checker whom options describe.

    Raises
    ------
    InputError
        If both do, or the answers are not two numbers.
    """
    if error is not None and answers is not None:
        raise InputError("give --checker-error or --checker-answers, not both.")
    if error is not None:
        return Checker.erring(error)
    if answers is None:
        return None
    try:
        right, wrong = (float(part) for part in answers.split(","))
    except ValueError:
        raise InputError(f"--checker-answers {answers!r} should be RIGHT,WRONG, as in 45,5.") from None
    return Checker(right, wrong)


def _learned(pool: CheckedPool) -> Checker | None:
    """How often whoever checks errs, from known answers mixed in, and from what two have checked.

    Where two differ, one of them is wrong.
    """
    right = wrong = 0
    for place, codes in pool.given.items():
        if pool.known[place] >= 0:
            right += sum(code == pool.known[place] for code in codes)
            wrong += sum(code != pool.known[place] for code in codes)
        elif len(codes) > 1:
            differ = codes[0] != codes[1]
            right, wrong = right + 2 - differ, wrong + differ
    return Checker(int(right), int(wrong)) if right + wrong else None


def measured(
    pool: CheckedPool, checker: Checker | None, confidence: float, epsilon: float, delta: float
) -> tuple[dict[str, Any], Ints]:
    """What an audit says, as plain values, and the positions of the labels that are safe to ship."""
    audit, truth, checker = pool.audit, pool.truth, checker or _learned(pool)
    right = np.where(truth < 0, np.nan, audit.label[audit.examples] == truth)
    known = np.bincount(pool.known[pool.known >= 0], minlength=len(pool.classes))
    judged, total = float(audit.size.sum()), float(audit.size.sum() + known.sum())
    report = audit_report(audit, right, checker=checker, confidence=confidence)
    shares = class_shares(audit, truth, confidence=confidence)
    ship = safe_labels(audit, right, epsilon=epsilon, delta=delta, checker=checker).examples
    ship = np.union1d(ship, np.flatnonzero(pool.known >= 0))
    rows = zip(
        pool.classes,
        *((known + judged * one) / total for one in (shares.share, shares.low, shares.high)),
        strict=True,
    )
    return {
        "share": report.share,
        "low": report.low,
        "high": report.high,
        "confidence": confidence,
        "n_checked": report.n_checked,
        "drawn": len(audit.examples),
        "wrong": int((right == 0).sum()),
        "labels": int(total),
        "known": int(known.sum()),
        "stated": report.stated,
        "checker": None if checker is None else {"right": checker.right, "wrong": checker.wrong},
        "classes": [
            {"label": name, "share": float(share), "low": float(low), "high": float(high)}
            for name, share, low, high in rows
        ],
        "epsilon": epsilon,
        "delta": delta,
        "safe": len(ship),
    }, ship


def safe_table(pool: CheckedPool, ship: Ints) -> pa.Table:
    """Example, label and source of the labels to ship: known, checked, or as the consensus says."""
    checked = dict(zip(pool.audit.examples.tolist(), pool.truth.tolist(), strict=True))
    rows = [
        (pool.known[place], "gold")
        if pool.known[place] >= 0
        else (checked[place], "adjudicated")
        if checked.get(place, -1) >= 0
        else (pool.audit.label[place], "consensus")
        for place in ship.tolist()
    ]
    return pa.table(
        {
            "example": pa.array([pool.examples[place] for place in ship.tolist()], pa.string()),
            "label": pa.array([pool.classes[code] for code, _ in rows], pa.string()),
            "source": pa.array([source for _, source in rows], pa.string()),
        }
    )
