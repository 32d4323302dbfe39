"""Lists of people to invite: names and roles, checked line by line, and the links made for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from activelab._errors import InputError
from activelab.project.store import accounts
from activelab.project.store.names import check_name, folded, looks_like
from activelab.project.store.schema import annotator, invite

AT_ONCE = 500
"""People of a list."""

_SEPARATORS = ("\t", ";", ",")  # pasted spreadsheets; those saved where numbers have a comma; the usual


@dataclass(frozen=True)
class Invited:
    """A line of a list.

    Attributes
    ----------
    line : int
        Counted from 1.
    name, role : str
    cells : tuple of str
        The whole line.
    problem : str
        Why nobody can be invited so; empty if somebody can.
    note : str
        What else is worth knowing.
    """

    line: int
    name: str
    role: str
    cells: tuple[str, ...]
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Roster:
    """A list of people.

    Attributes
    ----------
    header : tuple of str
        Names of its columns; those beside name and role are kept for the list of links alone.
    people : tuple of Invited
    """

    header: tuple[str, ...]
    people: tuple[Invited, ...]


def read_roster(text: str, role: str = "annotator") -> Roster:
    """Read a list: a name each line and a role, with commas, semicolons or tabs between them.

    A first line with the column ``name`` says what the columns are; else the first is the name and the second
    the role. Whoever has no role gets ``role``.

    Raises
    ------
    InputError
        If there is nobody, more than `AT_ONCE`, or it is no table.

    Examples
    --------
    >>> [(one.line, one.name, one.role) for one in read_roster("ann\\nlea,adjudicator\\n").people]
    [(1, 'ann', 'annotator'), (2, 'lea', 'adjudicator')]
    """
    rows = [*_rows(text.removeprefix("\ufeff"))]
    header = tuple(cell.lower() for cell in rows[0][1]) if rows else ()
    if "name" in header:
        rows = rows[1:]
    else:
        widest = max((len(cells) for _, cells in rows), default=0)
        header = ("name", "role", *(f"column {place}" for place in range(3, widest + 1)))
    if not 1 <= len(rows) <= AT_ONCE:
        raise InputError(f"a list has 1 to {AT_ONCE} people, a line each; got {len(rows):,}.")
    at, role_at = header.index("name"), header.index("role") if "role" in header else len(header)
    people = []
    for line, row in rows:
        cells = (*row, *[""] * (len(header) - len(row)))
        given = cells[role_at].lower() if role_at < len(cells) else ""
        people.append(Invited(line, cells[at], given or role, cells[: len(header)]))
    return Roster(header, tuple(people))


def _rows(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Lines that are not empty, by their number."""
    begin = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=lambda one: (begin.count(one), one == ","))
    reader, line = csv.reader(io.StringIO(text), delimiter=separator), 1
    try:
        for row in reader:
            cells = tuple(cell.strip() for cell in row)
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"line {line} is none of a table: {error}.") from None


def check_roster(connection: Connection, roster: Roster, now: float) -> Roster:
    """The same list with what is wrong with each line."""
    rows = connection.execute(select(annotator.c.name, annotator.c.password, annotator.c.removed)).all()
    known = {row.name: row for row in rows}
    alike = {folded(name): name for name in known}
    open_ = (invite.c.name.is_not(None), invite.c.used.is_(None), invite.c.expires > now)
    waiting = {*connection.execute(select(invite.c.name).where(*open_)).scalars()}
    seen: dict[str, int] = {}
    people = []
    for one in roster.people:
        problem, there = "", known.get(one.name)
        first = seen.setdefault(folded(one.name), one.line)
        like = looks_like(one.name, [alike.get(folded(one.name), one.name)])
        try:
            check_name(one.name)
        except InputError as error:
            problem = str(error).rstrip(".")
        if problem:
            pass
        elif "\ufffd" in one.name:
            problem = "a letter of the name could not be read; save the list as UTF-8"
        elif one.role not in accounts.ROLES:
            problem = f"{one.role!r} is no role: {', '.join(accounts.ROLES)}"
        elif first != one.line:
            problem = f"the same name as in line {first}, or one that could be taken for it"
        elif there is not None and (there.password is not None or there.removed is not None):
            problem = "there is an account of this name, which can log in already"
            problem = problem if there.removed is None else "this name stands for somebody who was removed"
        elif there is None and like is not None:
            problem = f"could be taken for {like}"
        note = "the link made before ends" if one.name in waiting else ""
        people.append(replace(one, problem=problem, note=note))
    return replace(roster, people=tuple(people))


def invite_roster(
    connection: Connection, roster: Roster, now: float, days: float = accounts.INVITE_DAYS
) -> list[str]:
    """Invitations for all of a list, in its order; their secrets. Links made before in these names end.

    Raises
    ------
    InputError
        If a line is wrong; then nobody is invited.
    """
    wrong = [one for one in check_roster(connection, roster, now).people if one.problem]
    if wrong:
        more = f" ({len(wrong) - 1} more lines are wrong)" if len(wrong) > 1 else ""
        raise InputError(f"nobody was invited: line {wrong[0].line}: {wrong[0].problem}{more}.")
    accounts.end_invites(connection, [one.name for one in roster.people], now)
    return [
        accounts.create_invite(connection, now, role=one.role, name=one.name, days=days)
        for one in roster.people
    ]


def links_table(roster: Roster, links: Sequence[str]) -> str:
    """The list as CSV with the role that each got and a column of links; no spreadsheet runs a text of it."""
    from activelab.tables import harmless

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    others = [place for place, name in enumerate(roster.header) if name not in ("name", "role", "link")]
    writer.writerow(["name", "role", *(harmless(roster.header[place]) for place in others), "link"])
    for one, link in zip(roster.people, links, strict=True):
        writer.writerow(
            [harmless(one.name), one.role, *(harmless(one.cells[place]) for place in others), link]
        )
    return out.getvalue()
