"""``activelab annotator``: the people of a project."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from activelab._errors import InputError, unknown
from activelab._whole import whole_file
from activelab.cli._options import Json
from activelab.cli._output import say
from activelab.cli._place import (
    Place,
    check_report,
    people_at,
    place_of,
    project_at,
    project_errors,
    split_place,
)

annotator = typer.Typer(name="annotator", rich_markup_mode=None)

_Person = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PLACE] NAME", help="The project and the person.", show_default=False),
]
_Role = Annotated[str, typer.Option(help="annotator, adjudicator or admin.")]
_Url = Annotated[str, typer.Option(help="Where people reach the server.")]
_Days = Annotated[float, typer.Option(min=0.01, max=365, help="Days until the link expires.")]


@annotator.callback(invoke_without_command=True)
def _annotator(context: typer.Context) -> None:
    """Add, invite, list, disable and remove the people of a project.

    \b
    Examples:
      activelab annotator add tickets.db ann
      activelab annotator list tickets.db
      activelab annotator reset ann projects/

    Of a folder of projects, it is about the accounts with which people log in to all of them.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@annotator.command()
def add(
    given: _Person = None,
    role: _Role = "annotator",
    url: _Url = "http://127.0.0.1:8080",
    days: _Days = 7,
    as_json: Json = False,
) -> None:
    """Make an account, and a link with which its owner chooses a password; it works once.

    Who has no password yet, as people known from imported labels, keeps the account and gets a link.

    \b
    Examples:
      activelab annotator add tickets.db ann
      activelab annotator add tickets.db lea --role adjudicator --url https://label.example.org
    """
    place, name = _person(given)
    with people_at(place) as project:
        from activelab.project.store import accounts

        def make(connection: Any) -> str:
            now = time.time()
            if accounts.find_account(connection, name=name) is None:
                accounts.add_annotator(connection, name, now, role=role)
            return accounts.create_invite(connection, now, role=role, name=name, days=days)

        secret = _audited(project, make, "annotator added", {"name": name, "role": role})
    link = url.rstrip("/") + accounts.join_path(secret, name)
    say(
        f"{name} chooses a password here, once, within {days:g} days:\n{link}",
        {"name": name, "role": role, "link": link},
        as_json,
    )


@annotator.command()
def invite(
    place: Place = None,
    role: _Role = "annotator",
    name: Annotated[
        str | None, typer.Option(help="For this person alone, who may be known from imported labels.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="CSV of people to invite, with the columns name and role.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="CSV with their links; else it is printed.", show_default=False),
    ] = None,
    url: _Url = "http://127.0.0.1:8080",
    days: _Days = 7,
    as_json: Json = False,
) -> None:
    """Make a link with which somebody makes an account of their own; it works once.

    Of a list of people (--file) one for each; columns beside name and role come back beside the links.

    \b
    Examples:
      activelab annotator invite tickets.db
      activelab annotator invite tickets.db --name ann --days 1
      activelab annotator invite tickets.db --file people.csv -o links.csv
    """
    if file is not None:
        if name is not None:
            raise InputError("--file says who is invited; leave --name out.")
        _invite_list(place_of(place), file, output, role, url, days, as_json)
        return
    if output is not None:
        raise InputError("-o is for a list of people, --file.")
    with people_at(place_of(place)) as project:
        from activelab.project.store import accounts

        secret = _audited(
            project,
            lambda c: accounts.create_invite(c, time.time(), role=role, name=name, days=days),
            "invited",
            {"role": role, "name": name},
        )
    link = url.rstrip("/") + accounts.join_path(secret, name)
    say(link, {"name": name, "role": role, "link": link}, as_json)


def _invite_list(
    place: str, file: Path, output: Path | None, role: str, url: str, days: float, as_json: bool
) -> None:
    if output is not None:
        check_report(output)  # what is made once must not be lost
    with people_at(place) as project:
        from activelab.project.store import accounts, rosters

        try:
            roster = rosters.read_roster(file.read_text(encoding="utf-8-sig"), role)
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise InputError(f"{file} is no UTF-8 text; save it as CSV UTF-8.") from None
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
        secrets = _audited(
            project,
            lambda c: rosters.invite_roster(c, roster, time.time(), days),
            "invited",
            {"names": [one.name for one in roster.people]},
        )
    people = zip(roster.people, secrets, strict=True)
    links = [url.rstrip("/") + accounts.join_path(secret, one.name) for one, secret in people]
    table = rosters.links_table(roster, links)
    values = [
        {"name": one.name, "role": one.role, "link": link}
        for one, link in zip(roster.people, links, strict=True)
    ]
    if output is not None:
        with whole_file(output) as out:
            out.write(table.encode())
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False))
    elif output is None:
        typer.echo(table, nl=False)
    else:
        typer.echo(f"Invited {len(links)} people; their links, once each, within {days:g} days: {output}")


@annotator.command()
def reset(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    place: Place = None,
    url: _Url = "http://127.0.0.1:8080",
    days: _Days = 7,
    as_json: Json = False,
) -> None:
    """Make a link with which somebody chooses a new password; the old one ends at once.

    \b
    Examples:
      activelab annotator reset ann tickets.db
    """
    with people_at(place_of(place)) as project:
        from activelab.project.store import accounts

        def make(connection: Any) -> str:
            known = accounts.find_account(connection, name=name)
            if known is None:
                raise InputError(f"there is no annotator {name!r}.")
            return accounts.reset_password(connection, known.id, time.time(), days=days)

        secret = _audited(project, make, "password reset", {"name": name})
    link = url.rstrip("/") + accounts.join_path(secret, name)
    say(
        f"{name} chooses a new password here, once, within {days:g} days:\n{link}",
        {"name": name, "link": link},
        as_json,
    )


@annotator.command("list")
def list_(place: Place = None, as_json: Json = False) -> None:
    """List the people of a project, with what they labelled here.

    \b
    Examples:
      activelab annotator list tickets.db
      activelab annotator list tickets.db --json
    """
    with people_at(place_of(place)) as project:
        from activelab.project.store import accounts

        found = project.database.read(accounts.list_accounts)
    people = [
        {
            "name": one.name,
            "role": one.role,
            "state": "removed"
            if one.removed
            else "disabled"
            if one.disabled
            else "active"
            if one.has_password
            else "no password",
            "labels": one.num_labels,
        }
        for one in found
    ]
    if as_json:
        typer.echo(json.dumps(people, ensure_ascii=False))
        return
    width = max([len(str(one["name"])) for one in people], default=0)
    for one in people:
        typer.echo(
            f"{one['name']:<{width}}  {one['role']:<11}  {one['state']:<11}  {one['labels']:>8,} labels"
        )
    if not people:
        typer.echo("Nobody yet.")


def _state(account: Any) -> str:
    if account.removed or account.disabled:
        return "removed" if account.removed else "disabled"
    return "active" if account.has_password else "no password"


@annotator.command()
def disable(given: _Person = None, as_json: Json = False) -> None:
    """Keep somebody out from now on; their labels stay, what they hold goes to others.

    \b
    Example:
      activelab annotator disable tickets.db ann
    """
    _set_disabled(given, True, as_json)


@annotator.command()
def enable(given: _Person = None, as_json: Json = False) -> None:
    """Let somebody in again.

    \b
    Example:
      activelab annotator enable tickets.db ann
    """
    _set_disabled(given, False, as_json)


@annotator.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    place: Place = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else it is printed.")
    ] = None,
) -> None:
    """Write all that is stored of somebody, without secrets, as JSON; of a folder in all its projects.

    \b
    Example:
      activelab annotator export ann tickets.db -o ann.json
    """
    if output is not None:
        check_report(output)
    place = place_of(place)
    if Path(place).is_dir():
        with _workspace(place) as workspace:
            data = workspace.personal_data(name)
    else:
        with project_at(place) as project:
            from activelab.project.files.personal import personal_data

            data = personal_data(project, _known(project, name))
    text = json.dumps(data, ensure_ascii=False, indent=1)
    if output is None:
        typer.echo(text)
        return
    with whole_file(output) as out:
        out.write(text.encode())
    typer.echo(f"Wrote what is stored of {name}: {output}")


@annotator.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    place: Place = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="Take their answers back as well; examples are asked again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Json = False,
) -> None:
    """Remove somebody for good: account, tokens, invitations, and the name wherever it stands.

    What they answered stays under a pseudonym, unless it is taken back (--answers). Of a folder: from all its
    projects.

    \b
    Examples:
      activelab annotator remove ann tickets.db
      activelab annotator remove ann projects/ --answers --yes
    """
    place = place_of(place)
    if not yes:
        typer.confirm(f"Remove {name} for good?", abort=True)
    if Path(place).is_dir():
        with _workspace(place) as workspace:
            done = workspace.remove_person(name, answers=answers)
    else:
        with project_at(place) as project:
            from activelab.project.files.personal import remove_person

            done = remove_person(project, _known(project, name), answers=answers)
    said = (
        f"{done.answers:,} answers are taken back" if answers else f"answers are those of {done.name!r} now"
    )
    say(f"{name} is removed; {said}.", {"name": done.name, "answers": done.answers}, as_json)


@contextmanager
def _workspace(place: str) -> Iterator[Any]:
    with project_errors():
        from activelab.project.workspace import Workspace

        with Workspace(place) as workspace:
            yield workspace


def _known(project: Any, name: str) -> int:
    from activelab.project.store import accounts

    known = project.database.read(lambda c: accounts.find_account(c, name=name))
    if known is None:
        names = [one.name for one in project.database.read(accounts.list_accounts)]
        raise unknown("annotator", name, names)
    return int(known.id)


def _set_disabled(given: list[str] | None, disabled: bool, as_json: bool) -> None:
    place, name = _person(given)
    with people_at(place) as project:
        from activelab.project.store import accounts

        what = "disabled" if disabled else "enabled"
        _audited(
            project,
            lambda c: accounts.set_disabled(c, name, disabled),
            f"annotator {what}",
            {"name": name},
        )
    say(f"{name} is {what}.", {"name": name, "state": what}, as_json)


def _person(given: list[str] | None) -> tuple[str, str]:
    place, rest = split_place(given or [])
    if len(rest) != 1:
        raise InputError("name one person, as in: activelab annotator add tickets.db ann")
    return place, rest[0]


def _audited(project: Any, work: Any, action: str, detail: dict[str, Any]) -> Any:
    from activelab.project.store.audit import write_audit

    def both(connection: Any) -> Any:
        result = work(connection)
        write_audit(connection, None, action, detail)
        return result

    return project.database.write(both)
