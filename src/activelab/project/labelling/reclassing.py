"""Classes renamed, merged, split and retired while people label.

A change is planned, weighed and done in one transaction, and recorded as one row (see `class_history`).
Events stay as they were given; answers, decisions, known answers, questions and predictions are carried over
to the classes of now, or set aside where that cannot be known, and their examples asked about again.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from activelab._errors import InputError, unknown
from activelab._typing import Floats
from activelab.project.labelling import audits, pool, rounds
from activelab.project.labelling.class_history import (
    ClassChange,
    Single,
    class_version,
    detail_of,
    load_changes,
    name_now,
)
from activelab.project.labelling.decisions import clear, truths_changed
from activelab.project.labelling.naming import load_naming
from activelab.project.settings import Settings, load_settings, store_settings
from activelab.project.store.schema import (
    WHOLE,
    answer,
    class_change,
    decision,
    event,
    example,
    label_set,
    lease,
    quality_audit,
    queue,
    round_,
    round_array,
)

Action = Literal["rename", "merge", "split", "retire"]
ACTIONS: tuple[Action, ...] = ("rename", "merge", "split", "retire")

_BLOCK = 10_000
# Columns with codes of labels that need no more than other numbers.
_CODES = (
    (answer, answer.c.class_code),
    (decision, decision.c.class_code),
    (example, example.c.gold),
)
_map = Table(
    "class_map",
    MetaData(),
    Column("was", Integer, primary_key=True, autoincrement=False),
    Column("now", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True)
class Reclass:
    """A change of classes that somebody wants.

    Attributes
    ----------
    action : {"rename", "merge", "split", "retire"}
    classes : tuple of str
        Those that change: one, or, to be merged, several.
    into : tuple of str
        The name they get; the class they become; the parts; the class that answers follow to, or none.
    """

    action: Action
    classes: tuple[str, ...]
    into: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effect:
    """What a change does.

    Attributes
    ----------
    answers, decisions, known : int
        Labels, decisions and known answers that follow.
    answers_aside, decisions_aside, known_aside : int
        Those that count no more.
    asked_again : int
        Examples that are asked about again.
    """

    answers: int = 0
    decisions: int = 0
    known: int = 0
    answers_aside: int = 0
    decisions_aside: int = 0
    known_aside: int = 0
    asked_again: int = 0

    def __str__(self) -> str:
        def those(answers: int, decisions: int, known: int) -> str:
            parts = [
                f"{number:,} {name if number == 1 else f'{name}s'}"
                for number, name in ((answers, "answer"), (decisions, "decision"), (known, "known answer"))
                if number
            ]
            return ", ".join([*parts[:-2], " and ".join(parts[-2:])])

        said = []
        if follow := those(self.answers, self.decisions, self.known):
            said.append(f"{follow} {_verb(self.answers + self.decisions + self.known, 'follow')}")
        if aside := those(self.answers_aside, self.decisions_aside, self.known_aside):
            number = self.answers_aside + self.decisions_aside + self.known_aside
            said.append(
                f"{aside} {'is' if number == 1 else 'are'} set aside and {_verb(number, 'count')} no more"
            )
        if self.asked_again:
            again = self.asked_again
            said.append(f"{again:,} example{' is' if again == 1 else 's are'} asked about again")
        return "; ".join(said) or "nobody has used it yet"


def _verb(number: int, plural: str) -> str:
    return f"{plural}s" if number == 1 else plural


def preview(connection: Connection, wanted: Reclass) -> tuple[ClassChange, Effect]:
    """What a change would do.

    Raises
    ------
    InputError
        If it cannot be done: the message says why.
    """
    settings = load_settings(connection)
    change, _ = _planned(connection, settings, wanted)
    return change, _weighed(connection, change)[0]


def reclass(
    connection: Connection, wanted: Reclass, by: int | None, why: str | None, now: float
) -> ClassChange:
    """Change classes, and carry over what was said of them.

    A training that runs is given up: it would speak of the classes before.

    Raises
    ------
    InputError
        If it cannot be done: the message says why.
    """
    rounds.hold_round(connection)
    if pool.under_way(connection):
        raise InputError("examples are being imported; change classes when that is done.")
    settings = load_settings(connection)
    change, after = _planned(connection, settings, wanted, now, why)
    effect, aside = _weighed(connection, change)
    change = replace(change, counts=asdict(effect))
    if change.renumbers:
        running = connection.execute(select(round_.c.id).where(round_.c.state == "running")).scalar()
        if running is not None:
            rounds.fail_round(connection, running, "the classes were changed", now)
        _carry(connection, change, aside)
    store_settings(connection, after)
    connection.execute(
        insert(class_change).values(
            **{
                name: getattr(change, name)
                for name in ("id", "time", "action", "why", "last_event", "round_id")
            },
            annotator_id=by,
            detail=detail_of(change),
        )
    )
    if change.renumbers:
        _questions(connection, after, change)
        truths_changed(connection, effect.decisions_aside + effect.known_aside, now)
        asked = rounds.ask_again(connection, after, by, sorted(aside), now)
        for at in range(0, len(asked), _BLOCK):
            clear(connection, asked[at : at + _BLOCK])
        rounds.settle_again(connection, after)
    return change


# ------------------------------------------------------------------ what is wanted


def _planned(
    connection: Connection,
    settings: Settings,
    wanted: Reclass,
    now: float | None = None,
    why: str | None = None,
) -> tuple[ClassChange, Settings]:
    """A change that can be done, and the settings after it."""
    before, changes = settings.classes, load_changes(connection)
    wanted = replace(wanted, into=tuple(name.strip() for name in wanted.into))
    for name in wanted.classes:
        if name not in before:
            raise unknown("class", name, before)
    if "" in wanted.into:
        raise InputError("a class needs a name.")
    after, targets = _PLANS[wanted.action](settings, wanted)
    # What was merged may be split again, into parts of the former names.
    _check_names(set(after) - set(before), before, changes, wanted.classes)
    if len(after) < len(before) and len(after) < 2:
        raise InputError("a project needs two classes; only one would be left.")
    last = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one()
    change = ClassChange(
        id=class_version(connection) + 1,
        time=time.time() if now is None else now,
        by=None,
        action=wanted.action,
        why=why,
        last_event=last,
        round_id=rounds.current_round(connection),
        before=before,
        after=after,
        became=tuple(tuple(after.index(one) for one in targets.get(name, (name,))) for name in before),
        sets=load_naming(connection, settings).sets,
        counts={},
    )
    return change, settings.reclassed(after, dict(zip(before, _names(change), strict=True)))


def _names(change: ClassChange) -> list[tuple[str, ...]]:
    """What each class before is called after."""
    return [tuple(change.after[code] for code in codes) for codes in change.became]


def check_new_names(connection: Connection, before: Sequence[str], after: Sequence[str]) -> None:
    """Refuse new classes that are called as others were before.

    Raises
    ------
    InputError
    """
    if new := set(after) - set(before):
        _check_names(new, before, load_changes(connection))


def _check_names(
    new: Iterable[str], before: Sequence[str], changes: Sequence[ClassChange], same: Sequence[str] = ()
) -> None:
    """Refuse former names of other classes: whoever still uses one would be misread."""
    for name in sorted(new):
        try:
            is_now = name_now(name, before, changes)
        except InputError:
            continue
        if is_now in before and is_now not in same:
            raise InputError(
                f"{name!r} was the name of what is {is_now!r} now, and open pages and files may still use "
                "it; choose another name."
            )


_Plan = tuple[tuple[str, ...], dict[str, tuple[str, ...]]]


def _one(wanted: Reclass) -> str:
    if len(wanted.classes) != 1:
        raise InputError(f"to {wanted.action} takes one class, got {len(wanted.classes)}.")
    return wanted.classes[0]


def _name(wanted: Reclass) -> str:
    if len(wanted.into) != 1:
        raise InputError(f"to {wanted.action} takes one name that it becomes, got {len(wanted.into)}.")
    return wanted.into[0]


def _rename(settings: Settings, wanted: Reclass) -> _Plan:
    old, new = _one(wanted), _name(wanted)
    if new == old:
        raise InputError(f"{old!r} is its name already.")
    if new in settings.classes:
        raise InputError(f"there is a class {new!r} already; to make one of both, merge them.")
    return tuple(new if name == old else name for name in settings.classes), {old: (new,)}


def _merge(settings: Settings, wanted: Reclass) -> _Plan:
    into = _name(wanted)
    there = into in settings.classes
    parts = [name for name in dict.fromkeys(wanted.classes) if name != into]
    if len(parts) + there < 2:
        raise InputError("to merge takes two classes; to give one another name, rename it.")
    if settings.question == "ordinal":
        places = sorted(settings.classes.index(name) for name in [*parts, *([into] if there else [])])
        if places[-1] - places[0] >= len(places):
            raise InputError(
                "only neighbouring points of a scale can be merged: those between would be lost."
            )
    after = list(settings.classes)
    if not there:
        after[min(map(after.index, parts))] = into
    return tuple(name for name in after if name not in parts), dict.fromkeys(parts, (into,))


def _split(settings: Settings, wanted: Reclass) -> _Plan:
    old, parts = _one(wanted), tuple(dict.fromkeys(wanted.into))
    if settings.question == "ordinal":
        raise InputError(
            "a point of a scale cannot be split: where its parts lie against the others is another scale. "
            "Make a new project."
        )
    if len(parts) < 2:
        raise InputError("to split takes two parts or more; to give a class another name, rename it.")
    if old in parts:
        raise InputError(f"a part needs a name of its own: {old!r} means the whole in answers there are.")
    at = settings.classes.index(old)
    new = tuple(name for name in parts if name not in settings.classes)
    return settings.classes[:at] + new + settings.classes[at + 1 :], {old: parts}


def _retire(settings: Settings, wanted: Reclass) -> _Plan:
    old = _one(wanted)
    if len(wanted.into) > 1:
        raise InputError("answers can follow to one class only.")
    for name in wanted.into:
        if name not in settings.classes or name == old:
            others = [one for one in settings.classes if one != old]
            raise unknown("class to follow to", name, others)
    if settings.question == "ordinal":
        if not wanted.into:
            raise InputError(
                f"ratings of a point that is gone would be lost; retire {old!r} as one of its neighbours."
            )
        _merge(settings, Reclass("merge", (old,), wanted.into))
    return tuple(name for name in settings.classes if name != old), {old: wanted.into}


_PLANS: dict[str, Callable[[Settings, Reclass], _Plan]] = {
    "rename": _rename,
    "merge": _merge,
    "split": _split,
    "retire": _retire,
}


# ------------------------------------------------------------------ what it does


def _weighed(connection: Connection, change: ClassChange) -> tuple[Effect, set[int]]:
    """What a change does, and the examples that are asked about again."""
    touched = {code for code, names in enumerate(_names(change)) if names != (change.before[code],)}
    if change.sets is not None:
        touched = {code for code, one in enumerate(change.sets) if touched.intersection(one)}
    gone = {code for code, now in enumerate(change.labels_after) if now is None}
    whole = answer.c.kind == "label", answer.c.asked == WHOLE
    numbers, asked_again = list[int](), set[int]()
    for column, of in ((answer.c.class_code, whole), (decision.c.class_code, ()), (example.c.gold, ())):
        some = select(column, func.count()).where(column.is_not(None), *of).group_by(column)
        found: dict[int, int] = dict(connection.execute(some).all())
        aside = sum(number for code, number in found.items() if code in gone)
        numbers += [sum(number for code, number in found.items() if code in touched) - aside, aside]
        of_example = example.c.id if column is example.c.gold else column.table.c.example_id
        codes = sorted(gone.intersection(found))
        for at in range(0, len(codes), _BLOCK):
            some = select(of_example).where(column.in_(codes[at : at + _BLOCK]), *of)
            asked_again.update(connection.execute(some).scalars())
    follow, aside, singly = _singles_weighed(connection, change)
    asked_again |= singly
    known = _still_known(connection, gone)
    answers, answers_aside, decisions, decisions_aside, gold, gold_aside = numbers
    asked_again -= known
    return (
        Effect(
            answers + follow,
            decisions,
            gold,
            answers_aside + aside,
            decisions_aside,
            gold_aside,
            len(asked_again),
        ),
        asked_again,
    )


def _still_known(connection: Connection, gone: set[int]) -> set[int]:
    """The examples whose answer is decided or known after the change as well."""
    rows = [
        *connection.execute(select(decision.c.example_id, decision.c.class_code)),
        *connection.execute(select(example.c.id, example.c.gold).where(example.c.gold.is_not(None))),
    ]
    return {code for code, label in rows if label not in gone}


def _singles(connection: Connection) -> dict[tuple[int, int], list[Single]]:
    """The answers about single classes, by example and annotator, oldest first."""
    columns = ("example_id", "annotator_id", "asked", "event_id", "kind", "class_code")
    query = select(*(answer.c[name] for name in columns)).where(answer.c.asked != WHOLE)
    sets = [
        bool(json.loads(one))
        for one in connection.execute(select(label_set.c.classes).order_by(label_set.c.code)).scalars()
    ]
    found: dict[tuple[int, int], list[Single]] = defaultdict(list)
    for e, a, asked, identity, kind, code in connection.execute(query.order_by(answer.c.event_id)):
        found[e, a].append(Single(asked, identity, kind, code is not None and sets[code]))
    return found


def _singles_weighed(connection: Connection, change: ClassChange) -> tuple[int, int, set[int]]:
    """Of answers about single classes: those that follow, those set aside, and the examples of these."""
    if change.sets is None or not change.renumbers:
        return 0, 0, set()
    follow, aside, examples = 0, 0, set[int]()
    kept = {code for code, names in enumerate(_names(change)) if names == (change.before[code],)}
    for (code, _), rows in _singles(connection).items():
        before = sum(row.kind == "label" for row in rows if row.asked not in kept)
        after = sum(row.kind == "label" for row in change.singles_after(rows)) - sum(
            row.kind == "label" for row in rows if row.asked in kept
        )
        lost = any(len(change.became[row.asked]) > 1 for row in rows if row.kind == "label")
        follow += min(max(after, 0), before)
        aside += max(before - max(after, 0), 0)
        if lost:
            examples.add(code)
    return follow, aside, examples


def _carry(connection: Connection, change: ClassChange, asked_again: set[int]) -> None:
    """Carry over answers, decisions and known answers, sets, rounds and audits."""
    after = change.labels_after
    gone = [code for code, now in enumerate(after) if now is None]
    moved = {code: now for code, now in enumerate(after) if now is not None and now != code}
    singles = _singles(connection) if change.sets is not None else {}
    marks = _marks(connection) if singles else {}
    if singles:
        connection.execute(delete(answer).where(answer.c.asked != WHOLE))
    for at in range(0, len(gone), _BLOCK):
        part = gone[at : at + _BLOCK]
        connection.execute(delete(answer).where(answer.c.class_code.in_(part)))
        connection.execute(delete(decision).where(decision.c.class_code.in_(part)))
        connection.execute(update(example).where(example.c.gold.in_(part)).values(gold=None))
    if moved:
        _map.create(connection)
        connection.execute(insert(_map), [{"was": was, "now": now} for was, now in moved.items()])
        for table, column in _CODES:
            now = select(_map.c.now).where(_map.c.was == column).scalar_subquery()
            connection.execute(update(table).where(column.in_(select(_map.c.was))).values({column: now}))
        _map.drop(connection)
    if change.sets is not None:
        _carry_sets(connection, change, singles, marks)
    _count(connection, asked_again | {code for code, _ in singles})
    _carry_round(connection, change)
    for row in connection.execute(select(quality_audit.c.id, quality_audit.c.labels)).all():
        _carry_audit(connection, row, after)


def _marks(connection: Connection) -> dict[int, dict[str, bool]]:
    """What was noted with the answers about single classes, by event."""
    query = select(answer.c.event_id, answer.c.bulk, answer.c.flagged).where(answer.c.asked != WHOLE)
    return {row.event_id: {"bulk": row.bulk, "flagged": row.flagged} for row in connection.execute(query)}


def _carry_sets(
    connection: Connection,
    change: ClassChange,
    singles: dict[tuple[int, int], list[Single]],
    marks: dict[int, dict[str, bool]],
) -> None:
    """Store the sets of now, and the answers about single classes, of which some became one."""
    connection.execute(delete(label_set))
    sets = [*change.sets_after]
    kept = [(who, one) for who, rows in singles.items() for one in change.singles_after(rows)]
    new = {(one.asked,) if one.yes else () for _, one in kept if one.kind == "label"}
    sets += sorted(new.difference(sets))
    rows = [{"code": code, "classes": json.dumps(one)} for code, one in enumerate(sets)]
    if rows:
        connection.execute(insert(label_set), rows)
    codes = {one: code for code, one in enumerate(sets)}
    answers = [
        {
            "example_id": e,
            "annotator_id": a,
            "asked": one.asked,
            "event_id": one.event_id,
            "kind": one.kind,
            "class_code": codes[(one.asked,) if one.yes else ()] if one.kind == "label" else None,
            **marks[one.event_id],
        }
        for (e, a), one in kept
    ]
    for at in range(0, len(answers), _BLOCK):
        connection.execute(insert(answer), answers[at : at + _BLOCK])


def _count(connection: Connection, examples: set[int]) -> None:
    """Count the labels of some examples anew. What was paid for labels set aside stays paid."""
    codes = sorted(examples)
    for at in range(0, len(codes), _BLOCK):
        part = codes[at : at + _BLOCK]
        of_label = select(answer.c.example_id).where(answer.c.kind == "label", answer.c.example_id.in_(part))
        counts = Counter(connection.execute(of_label).scalars())
        connection.execute(
            update(example).where(example.c.id == bindparam("code")).values(num_labels=bindparam("number")),
            [{"code": code, "number": counts[code]} for code in part],
        )


# ------------------------------------------------------------------ what rounds and audits know


def _carry_round(connection: Connection, change: ClassChange) -> None:
    """Carry over what the round that is served says: its labels, and its probabilities of the classes."""
    number = change.round_id
    if number < 0:
        return
    after = np.array([-1 if now is None else now for now in change.labels_after] + [-1], dtype=np.int32)
    # Nothing is known of a label that is gone, nor is a model sure of one.
    for name, of in (
        ("quality", "consensus"),
        ("exact", "consensus"),
        ("expected_error", "consensus"),
        ("sure", "predicted"),
    ):
        values, labels = (rounds.load_array(connection, number, one) for one in (name, of))
        if values is not None and labels is not None:
            values[after[labels] < 0] = np.nan
            rounds.store_array(connection, number, name, values)
    for name in ("consensus", "target", "predicted"):
        labels = rounds.load_array(connection, number, name)
        if labels is not None:
            rounds.store_array(connection, number, name, after[labels])
    like = round_array.c.name.like("pred\\_probs/%", escape="\\")
    of_round = select(round_array.c.name).where(round_array.c.round_id == number, like)
    total: dict[str, Any] = {}
    for name in sorted(connection.execute(of_round).scalars()):
        part = carried(rounds.load_array(connection, number, name), change)
        rounds.store_array(connection, number, name, part)
        start = name.split("/")[2]
        total[start] = total.get(start, 0.0) + part
    if total and change.sets is None:
        best = [total[start].argmax(axis=1) for start in sorted(total)]
        rounds.store_array(connection, number, "predicted", np.concatenate(best).astype(np.int32))


def carried(pred_probs: Floats, change: ClassChange) -> Floats:
    """Probabilities of the classes before as those of the classes after, shape (n, K) to (n, K').

    Of one right class, those of merged ones add up, and what a retired class had falls to the others by their
    shares. Of sets, a merged class applies where any of its parts does, which is at least as likely as the
    likeliest. Nothing speaks for one part of a split more than for another. Of classes that were added since
    the round was trained nothing is known: 1 / K, or in sets one half.
    """
    size, several = len(change.after), change.sets is not None
    known = pred_probs.shape[1]
    found = np.zeros((len(pred_probs), size))
    heard = np.zeros(size, dtype=bool)
    for code, into in enumerate(change.became[:known]):
        for one in into:
            heard[one] = True
            share = pred_probs[:, code] / len(into)
            found[:, one] = np.maximum(found[:, one], share) if several else found[:, one] + share
    if several:
        found[:, ~heard] = 0.5
        return found.astype(np.float32)
    total = found.sum(axis=1, keepdims=True)
    np.divide(found, total, out=found, where=total > 0)
    found[(total <= 0).ravel()] = heard / max(heard.sum(), 1)
    if not heard.all():
        found = np.where(heard, found * heard.mean(), 1 / size)
    return found.astype(np.float32)


def _carry_audit(connection: Connection, row: Any, after: Sequence[int | None]) -> None:
    drawn = audits.read_drawn(row.labels)
    codes = np.array([-1 if now is None else now for now in after] + [-1], dtype=np.int32)
    data = audits.packed(audits.Drawn(codes[drawn.label], drawn.quality, drawn.stratum))
    connection.execute(update(quality_audit).where(quality_audit.c.id == row.id).values(labels=data))


# ------------------------------------------------------------------ what is asked


def _questions(connection: Connection, settings: Settings, change: ClassChange) -> None:
    """Let what is asked about single classes, now and later in the round, be about those of now."""
    held = select(lease.c.id, lease.c.annotator_id, lease.c.example_id, lease.c.asked).where(
        lease.c.state == "open", lease.c.asked != WHOLE
    )
    taken = set[tuple[int, int, int]]()
    moves = []
    for row in connection.execute(held.order_by(lease.c.id)).all():
        now = change.class_after(row.asked)
        if now is None or (row.annotator_id, row.example_id, now) in taken:
            connection.execute(update(lease).where(lease.c.id == row.id).values(state="expired"))
        else:
            taken.add((row.annotator_id, row.example_id, now))
            moves.append({"lease": row.id, "to": now})
    if moves:  # in two steps: two questions may change places
        ids = [one["lease"] for one in moves]
        connection.execute(update(lease).where(lease.c.id.in_(ids)).values(asked=-2 - lease.c.asked))
        moving = update(lease).where(lease.c.id == bindparam("lease")).values(asked=bindparam("to"))
        connection.execute(moving, moves)
    number = change.round_id
    stored = rounds.load_order(connection, number) if number >= 0 else None
    if stored is None or not (stored[1] != WHOLE).any():
        return
    order, asked = stored
    after = np.array(
        [-2 if (now := change.class_after(c)) is None else now for c in range(len(change.before))]
    )
    about = np.where(asked == WHOLE, WHOLE, after[asked])
    _, first = np.unique(np.stack([order, about], axis=1), axis=0, return_index=True)
    kept = np.sort(first[about[first] != -2])
    rounds.store_order(connection, number, order[kept], about[kept])
    connection.execute(delete(queue).where(queue.c.round_id == number, queue.c.position >= 0))
    connection.execute(update(round_).where(round_.c.id == number).values(filled=0))
    rounds.extend_queue(connection, settings, number)
