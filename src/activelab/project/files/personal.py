"""What is stored of a person: handed out as one JSON object, or removed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, or_, select, text, update
from sqlalchemy.sql.selectable import FromClause

from activelab._errors import InputError
from activelab.project._project import Project
from activelab.project.labelling import rounds
from activelab.project.labelling.intake import in_turn
from activelab.project.labelling.naming import EventNaming
from activelab.project.labelling.queue import take_back_last
from activelab.project.settings import load_settings, store_settings
from activelab.project.store import accounts
from activelab.project.store.accounts import find_account, let_go
from activelab.project.store.audit import entries_of, rename_in_audit, write_audit
from activelab.project.store.names import rename_in
from activelab.project.store.schema import (
    annotator,
    answer,
    class_change,
    decision,
    event,
    example,
    invite,
    lease,
    login,
    message,
    practice,
    quality_audit,
    round_,
    token,
    unclear,
    wish,
)

FORMAT = "activelab person 1"
SOURCE = "removal"

AT_ONCE = 50
"""Answers taken back in one transaction."""

# The tables of Label Studio are of a layer further out.
_USERS = text("SELECT user_id FROM label_studio_user WHERE annotator_id = :who")


@dataclass(frozen=True)
class Removed:
    """What was done with what is stored of a person.

    Attributes
    ----------
    name : str
        The pseudonym that stands for them.
    answers : int
        Answers that were taken back.
    """

    name: str
    answers: int


def personal_data(project: Project, account_id: int, *, own: bool = False) -> dict[str, Any]:
    """All that is stored of a person, ready for JSON, without secrets.

    Parameters
    ----------
    project : Project
    account_id : int
    own : bool
        For the person, who labels blind: ids of examples, which answers are known, what is estimated of how
        right they are, and names of others in the audit log are left out.

    Raises
    ------
    InputError
        If there is no such account.
    """
    return project.database.read(lambda c: _data(c, account_id, own))


def _data(connection: Connection, account_id: int, own: bool) -> dict[str, Any]:
    account = find_account(connection, identity=account_id)
    if account is None:
        raise InputError(f"there is no account {account_id}.")
    row = connection.execute(select(annotator).where(annotator.c.id == account_id)).one()
    names = (
        {} if own else {one.id: one.name for one in connection.execute(select(example.c.id, example.c.name))}
    )
    people = {one.id: one.name for one in connection.execute(select(annotator.c.id, annotator.c.name))}

    def rows(
        table: FromClause, *fields: str, of: Any = None, order: str | None = None
    ) -> list[dict[str, Any]]:
        columns = [table.c[name] for name in fields]
        where = table.c.annotator_id == account_id if of is None else of
        query = select(*columns).where(where).order_by(table.c[order or fields[0]])
        found = [one._asdict() for one in connection.execute(query)]
        return [named(one) for one in found]

    def named(one: dict[str, Any]) -> dict[str, Any]:
        code = one.pop("example_id", None)
        return one if code is None else {"example": names.get(code, code)} | one

    data = {
        "format": FORMAT,
        "project": load_settings(connection).title,
        "written": time.time(),
        "account": {
            "name": account.name,
            "role": account.role,
            "made": row.created,
            "disabled": account.disabled,
            "labels": account.num_labels,
            "passed_practice": row.admitted,
            "sent_to_practise": row.retrain,
        },
        "sessions": rows(login, "begun", "used", "ended", "browser"),
        "tokens": rows(token, "created", "name", "expires", "revoked"),
        "invitations": rows(invite, "created", "role", "expires", "used", of=invite.c.name == account.name),
        "answers": _answers(connection, account_id, named),
        "shown": rows(
            lease, "leased", "example_id", "expires", "state", *(() if own else ("gold",)), order="id"
        ),
        "practice": rows(practice, "attempt", "position", "example_id", "correct", "time"),
        "messages": [
            {
                "from": people.get(one.by_id),
                "to": people[one.annotator_id],
                "text": one.text,
                "sent": one.sent,
                "read": one.read,
            }
            for one in connection.execute(
                select(message)
                .where(or_(message.c.annotator_id == account_id, message.c.by_id == account_id))
                .order_by(message.c.id)
            )
        ],
        "asked_for_another_label": rows(wish, "time", "example_id"),
        "set_aside": rows(unclear, "time", "example_id", "note"),
        "audits_drawn": rows(quality_audit, "time", "drawn"),
        "changes_of_classes": rows(class_change, "time", "action", "why"),
        "label_studio": [*connection.execute(_USERS, {"who": account_id}).scalars()],
        "log": _log(connection, account, own),
    }
    return data if own else data | {"estimates": _estimates(connection, account.name)}


def _answers(connection: Connection, account_id: int, named: Any) -> list[dict[str, Any]]:
    """Everything they ever said, in the classes of then, and whether it still stands."""
    then = EventNaming(connection)
    standing = {
        *connection.execute(select(answer.c.event_id).where(answer.c.annotator_id == account_id)).scalars(),
        *connection.execute(select(decision.c.event_id)).scalars(),
    }
    query = select(event).where(event.c.annotator_id == account_id).order_by(event.c.id)
    found = []
    for one in connection.execute(query):
        naming = then.at(one.id)
        said = {
            "event": one.id,
            "time": one.time,
            "example_id": one.example_id,
            "kind": one.kind,
            "label": naming.name(one.class_code),
            "asked": naming.class_name(one.asked),
            "note": one.reason,
            "seconds": one.seconds,
            "flagged": bool(one.flagged),
            "bulk": bool(one.bulk),
            "source": one.source,
            "undoes": one.undoes,
            "stands": one.id in standing,
        }
        found.append(named(said))
    return found


def _log(connection: Connection, account: accounts.Account, own: bool) -> list[dict[str, Any]]:
    """What the audit log says that they did, and of them."""
    found = []
    for when, by, action, detail in entries_of(connection, account.id, account.name):
        if own and by != account.id:
            detail = {part: value for part, value in detail.items() if part != "families"}
            detail |= {"names": [account.name]} if "names" in detail else {}
        found.append({"time": when, "action": action, "by_them": by == account.id, "detail": detail})
    return found


def _estimates(connection: Connection, name: str) -> list[dict[str, Any]]:
    """What rounds say of how right they are."""
    found = []
    for one in connection.execute(select(round_.c.id, round_.c.summary).order_by(round_.c.id)):
        summary = json.loads(one.summary)
        said = {
            "accuracy": summary.get("annotators", {}).get(name),
            "weight": summary.get("annotator_weight", {}).get(name),
            "share": (summary.get("shares") or {}).get(name),
        }
        if any(value is not None for value in said.values()):
            found.append({"round": one.id} | said)
    return found


def remove_person(
    project: Project, account_id: int, by: int | None = None, *, answers: bool = False
) -> Removed:
    """Remove a person: account, sessions, tokens, invitations, practice, messages to them, and their name.

    What they answered and decided stays under a pseudonym, so that no consensus changes. With ``answers``
    their answers are taken back as well, in small transactions while others label: examples are asked again.
    The log of events keeps that they were given and taken back, by the pseudonym; decisions stay. Of somebody
    who was removed before, the answers alone are taken back.

    Parameters
    ----------
    project : Project
    account_id : int
    by : int, optional
        The account; None for somebody with access to the database itself, as on the command line.
    answers : bool

    Raises
    ------
    InputError
        If there is no such account, it was removed and nothing else is asked for, or it is the last admin or
        the one who asks.
    """
    name = project.database.write(lambda c: _close(c, account_id, by, answers))
    project.refresh(0)
    taken = 0
    while answers and (some := in_turn(project.database, lambda c: _take_back(c, account_id))):
        taken += some
    return Removed(name, taken)


def _close(connection: Connection, account_id: int, by: int | None, answers: bool) -> str:
    rounds.hold_round(connection)
    account = find_account(connection, identity=account_id)
    if account is None:
        raise InputError(f"there is no account {account_id}.")
    if account_id == by:
        raise InputError("another admin removes you; nobody removes themselves.")
    kept = "taken back" if answers else "kept"
    if account.removed:
        if not answers:
            raise InputError(f"{account.name} was removed already.")
        write_audit(connection, by, "person removed", {"account": account_id, "answers": kept})
        return account.name
    accounts.set_disabled(connection, account.name, True)
    let_go(connection, account_id)
    taken = {*connection.execute(select(annotator.c.name)).scalars()}
    numbers = (f"{account_id}", *(f"{account_id}.{turn}" for turn in range(2, len(taken) + 3)))
    pseudonym = next(one for number in numbers if (one := f"removed person {number}") not in taken)
    connection.execute(
        update(annotator)
        .where(annotator.c.id == account_id)
        .values(
            name=pseudonym, role="annotator", password=None, admitted=None, retrain=None, removed=time.time()
        )
    )
    for table in (token, login, practice, message):
        connection.execute(delete(table).where(table.c.annotator_id == account_id))
    connection.execute(delete(invite).where(invite.c.name == account.name))
    _rename(connection, account.name, pseudonym)
    write_audit(connection, by, "person removed", {"account": account_id, "answers": kept})
    return pseudonym


def _rename(connection: Connection, name: str, pseudonym: str) -> None:
    """Put the pseudonym wherever else the name stands: settings, what rounds say, the audit log."""
    settings = load_settings(connection)
    families = [rename_in(one, name, pseudonym) for one in settings.families]
    if families != [*settings.families]:
        store_settings(connection, settings.changed({"families": families}))
    for one in connection.execute(select(round_.c.id, round_.c.summary)).all():
        before = json.loads(one.summary)
        after = before | {
            part: {pseudonym if key == name else key: value for key, value in before[part].items()}
            for part in ("annotator_weight", "annotators", "shares")
            if before.get(part)
        }
        if before.get("error"):
            after["error"] = rename_in(before["error"], name, pseudonym)
        if before.get("notes"):
            after["notes"] = [rename_in(note, name, pseudonym) for note in before["notes"]]
        if after != before:
            said = json.dumps(after, ensure_ascii=False)
            connection.execute(update(round_).where(round_.c.id == one.id).values(summary=said))
    rename_in_audit(connection, name, pseudonym)


def _take_back(connection: Connection, account_id: int) -> int:
    """Take back some of the answers somebody has given; how many."""
    rounds.hold_round(connection)
    return take_back_last(connection, account_id, AT_ONCE, time.time(), source=SOURCE)
