"""The classes of a project, what changes of them would do, and those that were made."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, func, select

from activelab.project._project import Project
from activelab.project.insight.results import Classes, ClassEvent, ClassPreview, ClassUse
from activelab.project.labelling.class_history import ClassChange, load_changes
from activelab.project.labelling.naming import load_naming
from activelab.project.labelling.reclassing import Effect, Reclass
from activelab.project.store.schema import WHOLE, answer, decision, example


def class_table(project: Project) -> Classes:
    """The classes, how much is said of each, and how they came about."""
    return project.database.read(_load)


def _load(connection: Connection) -> Classes:
    naming = load_naming(connection)
    counts = [
        Counter[int](dict(connection.execute(select(column, func.count()).where(*of).group_by(column)).all()))
        for column, of in (
            (answer.c.class_code, [answer.c.kind == "label"]),
            (decision.c.class_code, []),
            (example.c.gold, [example.c.gold.is_not(None)]),
        )
    ]
    if naming.sets is not None:
        counts = [_by_member(of, naming.sets) for of in counts]
        # Whoever was asked about one class has said something of it, too, where it does not apply.
        none_of = select(answer.c.asked, func.count()).where(
            answer.c.asked != WHOLE, answer.c.kind == "label"
        )
        empty = [code for code, members in enumerate(naming.sets) if not members]
        of_none = none_of.where(answer.c.class_code.in_(empty)).group_by(answer.c.asked)
        counts[0] += Counter(dict(connection.execute(of_none).all()))
    answers, decisions, known = counts
    return Classes(
        classes=[
            ClassUse(name=name, answers=answers[code], decisions=decisions[code], known=known[code])
            for code, name in enumerate(naming.classes)
        ],
        changes=[_event(change) for change in reversed(load_changes(connection))],
    )


def _by_member(of_sets: Counter[int], sets: tuple[tuple[int, ...], ...]) -> Counter[int]:
    found = Counter[int]()
    for code, number in of_sets.items():
        for one in sets[code]:
            found[one] += number
    return found


def _event(change: ClassChange) -> ClassEvent:
    return ClassEvent(
        version=change.id,
        time=change.time,
        by=change.by,
        action=change.action,  # type: ignore[arg-type]
        words=change.words,
        effect=str(Effect(**change.counts)),
        why=change.why,
        before=list(change.before),
        after=list(change.after),
        became=change.became_names,
    )


def class_preview(project: Project, wanted: Reclass) -> ClassPreview:
    """What a change of classes would do; nothing is changed.

    Raises
    ------
    InputError
        If it cannot be done: the message says why.
    """
    change, effect = project.preview_classes(wanted)
    return ClassPreview(words=change.words, effect=str(effect), after=list(change.after))
