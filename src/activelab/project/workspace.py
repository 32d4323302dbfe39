"""Several projects beside each other, and one account for each person in all of them.

Projects stay what they are: files of a folder, or schemas of a PostgreSQL database. Who can log in is kept in
one more of them, which has no examples: of its tables, those of people, invitations, tokens and the audit log
are used. What somebody may do in a project is said there, where they have an account of the same name.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.schema import DropSchema

from activelab._errors import InputError
from activelab.project._project import Project, create_project, open_project
from activelab.project.files.personal import Removed, personal_data, remove_person
from activelab.project.labelling.companions import untie
from activelab.project.labelling.rounds import hold_round
from activelab.project.media import folder_beside
from activelab.project.questions import add_question
from activelab.project.settings import Settings, load_value, store_value
from activelab.project.store import accounts
from activelab.project.store.audit import write_audit
from activelab.project.store.database import Database, StorageError, database_url
from activelab.project.store.upgrades import remove_file

PEOPLE = "workspace"
"""Name of the database with the accounts."""

CONNECTIONS = 3
"""Connections to PostgreSQL that each project keeps; a server has a hundred, unless it is told otherwise."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_HOLDERS = text(
    "SELECT table_schema FROM information_schema.tables WHERE table_name = 'label_set' ORDER BY table_schema"
)


class Workspace:
    """The projects of a folder, or of a PostgreSQL database.

    Parameters
    ----------
    place : str or path
        A folder, or ``postgresql://user@host/name``. What is missing in it is made.

    Attributes
    ----------
    people : Project
        Where accounts, their passwords and tokens are; its pool is empty.

    Raises
    ------
    InputError
        If there is no such folder.
    StorageError
        If the database cannot be read or made.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        self.place = os.fspath(place)
        self._url = None if "://" not in self.place else database_url(self.place)
        if self._url is None and not Path(self.place).is_dir():
            raise InputError(f"{self.place} is no folder; make it first, with: mkdir {self.place}")
        where = self._where(PEOPLE)
        if (self._url is None and not Path(where).exists()) or (
            self._url is not None and PEOPLE not in self._holders()
        ):
            create_project(where, Settings(title="Workspace")).close()
        self.people = open_project(where, connections=CONNECTIONS)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.people.close()

    # ------------------------------------------------------------------ which projects

    def names(self) -> list[str]:
        """Names of all projects, those set aside too, in alphabetical order."""
        if self._url is not None:
            found = self._holders()
        else:
            found = [path.stem for path in Path(self.place).glob("*.db")]
        return sorted(name for name in found if name != PEOPLE and _NAME.fullmatch(name))

    def archived(self) -> set[str]:
        """Names of the projects set aside: nobody works in them, and nothing is trained."""
        return set(self.people.database.read(lambda c: load_value(c, "archived", [])))

    def place_of(self, name: str) -> str:
        """Where a project is, as for `open_project`.

        Raises
        ------
        InputError
            If the workspace has no such project.
        """
        if name not in self.names():
            raise InputError(f"there is no project {name!r} in this workspace.")
        return self._where(name)

    def open(self, name: str) -> Project:
        """A project. Who could log in to it before it came here can now log in to the workspace.

        Raises
        ------
        InputError
            As `place_of` and `open_project`.
        """
        project = open_project(self.place_of(name), connections=CONNECTIONS)
        self._take_in(project, name)
        return project

    def _take_in(self, project: Project, name: str) -> None:
        passwords = project.database.read(accounts.own_passwords)
        if not passwords:
            return

        def add(connection: Connection) -> None:
            now = time.time()
            for person, stored in passwords.items():
                if accounts.find_account(connection, name=person) is None:
                    identity = accounts.add_annotator(connection, person, now)
                    accounts.set_password(connection, identity, stored)
            write_audit(
                connection, None, "people of a project taken in", {"project": name, "people": len(passwords)}
            )

        # Passwords are in both databases before they leave one.
        self.people.database.write(add)
        project.database.write(accounts.give_to_workspace)

    # ------------------------------------------------------------------ what is done with them

    def create(self, name: str, settings: Settings, by: accounts.Account | None = None) -> None:
        """A new project; whoever makes it is its admin.

        Raises
        ------
        InputError
            If the name is taken or none, or as `create_project`.
        """
        self._check_new(name)
        self._made(create_project(self._where(name), settings), name, by)

    def add_question(
        self, name: str, about: str, changes: Mapping[str, Any], by: accounts.Account | None = None
    ) -> None:
        """A new project with another question about the examples of one; see `questions.add_question`.

        Raises
        ------
        InputError
            If the name is taken or none, or as `place_of` and `questions.add_question`.
        """
        self._check_new(name)
        with open_project(self.place_of(about), connections=CONNECTIONS) as lead:
            self._made(add_question(lead, changes, self._where(name), name=name), name, by)

    def _check_new(self, name: str) -> None:
        if not _NAME.fullmatch(name) or name == PEOPLE:
            raise InputError(
                f"{name!r} cannot name a project: at most 63 letters, digits, - and _, a letter first."
            )
        if name.lower() in {one.lower() for one in self.names()}:
            raise InputError(f"there is a project {name!r} already.")

    def _made(self, project: Project, name: str, by: accounts.Account | None) -> None:
        with project:
            if by is not None:
                person = by.name
                project.database.write(lambda c: accounts.enter(c, person, "admin", time.time()))
        self._note(by, "project created", {"project": name})

    def enter(self, name: str, person: accounts.Account, role: str = "admin") -> None:
        """Make somebody of the workspace a member of a project."""
        with open_project(self.place_of(name), connections=CONNECTIONS) as project:

            def enter(connection: Connection) -> None:
                account = accounts.enter(connection, person.name, role, time.time())
                write_audit(connection, account.id, "entered from the workspace", {"role": role})

            project.database.write(enter)

    def archive(self, name: str, aside: bool, by: accounts.Account | None = None) -> None:
        """Set a project aside, or take it up again.

        Raises
        ------
        InputError
            If the workspace has no such project.
        """
        self.place_of(name)

        def change(connection: Connection) -> None:
            hold_round(connection)
            names = set(load_value(connection, "archived", []))
            store_value(connection, "archived", sorted(names | {name} if aside else names - {name}))

        self.people.database.write(change)
        self._note(by, "project archived" if aside else "project taken up again", {"project": name})

    def delete(self, name: str, by: accounts.Account | None = None) -> None:
        """Delete a project that is set aside, with all its labels; nothing brings it back.

        Raises
        ------
        InputError
            If the workspace has no such project, or it is not set aside.
        """
        where = self.place_of(name)
        if name not in self.archived():
            raise InputError(f"{name!r} is in use; archive it first.")
        with suppress(InputError, StorageError), open_project(where, connections=1) as project:
            untie(project.database)
        if self._url is None:
            remove_file(where)
            Path(f"{where}.key").unlink(missing_ok=True)
            shutil.rmtree(folder_beside(where), ignore_errors=True)
        else:
            self.people.database.write(lambda c: c.execute(DropSchema(name, cascade=True)))

        def forget(connection: Connection) -> None:
            hold_round(connection)
            store_value(connection, "archived", sorted(set(load_value(connection, "archived", [])) - {name}))

        self.people.database.write(forget)
        self._note(by, "project deleted", {"project": name})

    # ------------------------------------------------------------------ people

    def personal_data(self, name: str, *, own: bool = False) -> dict[str, Any]:
        """All that is stored of a person here and in all projects; see `files.personal.personal_data`.

        Raises
        ------
        InputError
            If there is no account of this name.
        """
        person = self._person(name)
        found = {}
        for where in self.names():
            with open_project(self.place_of(where)) as project:
                known = _known(project, name)
                if known is not None:
                    found[where] = personal_data(project, known.id, own=own)
        return personal_data(self.people, person.id, own=own) | {"projects": found}

    def remove_person(
        self, name: str, by: accounts.Account | None = None, *, answers: bool = False
    ) -> Removed:
        """Remove a person here and from all projects, archived ones too; see `files.personal.remove_person`.

        Should this be stopped half-way, the account cannot log in any more, and the same again does the rest.

        Raises
        ------
        InputError
            If there is no account of this name, or it is the last admin, here or of a project, or the one who
            asks.
        """
        person = self._person(name)
        if by is not None and by.id == person.id:
            raise InputError("another admin removes you; nobody removes themselves.")
        there = []
        for where in self.names():
            with open_project(self.place_of(where)) as project:
                known = _known(project, name)
                if known is not None:
                    if project.database.write(partial(accounts.is_last_admin, account=known)):
                        raise InputError(
                            f"{name!r} is the last admin of {where!r}; enter it, to be one there."
                        )
                    there.append((where, known.id))
        self.people.database.write(lambda c: accounts.set_disabled(c, name, True))
        taken = 0
        for where, number in there:
            with open_project(self.place_of(where)) as project:
                taken += remove_person(project, number, answers=answers).answers
        done = remove_person(self.people, person.id, None if by is None else by.id)
        return Removed(done.name, taken)

    def _person(self, name: str) -> accounts.Account:
        found = _known(self.people, name)
        if found is None:
            raise InputError(f"there is no account {name!r} in this workspace.")
        return found

    # ------------------------------------------------------------------ places

    def _where(self, name: str) -> str:
        if self._url is None:
            return str(Path(self.place) / f"{name}.db")
        url = self._url.set(drivername="postgresql").update_query_dict({"schema": name})
        return url.render_as_string(hide_password=False)

    def _holders(self) -> list[str]:
        database = Database(self.place, connections=1)
        try:
            return list(database.read(lambda c: c.execute(_HOLDERS).scalars().all()))
        finally:
            database.close()

    def _note(self, by: accounts.Account | None, what: str, about: Mapping[str, Any]) -> None:
        self.people.database.write(lambda c: write_audit(c, None if by is None else by.id, what, dict(about)))


def _known(project: Project, name: str) -> accounts.Account | None:
    return project.database.read(lambda c: accounts.find_account(c, name=name))


def is_workspace(place: str | os.PathLike[str]) -> bool:
    """Whether a place is a folder."""
    return "://" not in os.fspath(place) and Path(place).is_dir()
