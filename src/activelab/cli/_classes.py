"""``activelab classes``: the classes of a project, renamed, merged, split and retired."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError
from activelab.cli._options import Json
from activelab.cli._output import say
from activelab.cli._place import Place, place_of, project_at, split_place

if TYPE_CHECKING:
    from activelab.project.labelling.reclassing import Action

classes = typer.Typer(name="classes", rich_markup_mode=None)

_Why = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the history.")]
_Preview = Annotated[bool, typer.Option("--preview", help="Say what it would do; change nothing.")]
_Into = Annotated[list[str], typer.Option(metavar="CLASS", help="A part; name two or more.")]


def _words(metavar: str) -> Any:
    return typer.Argument(metavar=f"[PLACE] {metavar}", help="The project and classes.", show_default=False)


@classes.callback(invoke_without_command=True)
def _classes(context: typer.Context) -> None:
    """Rename, merge, split and retire the classes of a project while people label.

    \b
    Examples:
      activelab classes list tickets.db
      activelab classes rename tickets.db bug defect
      activelab classes merge tickets.db question help --into question

    Answers follow to the classes of now, or are set aside and asked again; the history has what was said.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@classes.command("list")
def list_(place: Place = None, as_json: Json = False) -> None:
    """List the classes, how much is said of each, and all changes of them.

    \b
    Examples:
      activelab classes list tickets.db
      activelab classes list tickets.db --json
    """
    with project_at(place_of(place)) as project:
        from activelab.project.insight import class_table

        found = class_table(project)
    lines = [
        f"{one.name}: {one.answers:,} answers, {one.decisions:,} decisions, {one.known:,} known answers"
        for one in found.classes
    ]
    for change in found.changes:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(change.time))
        why = f" ({change.why})" if change.why else ""
        by = f", by {change.by}" if change.by else ""
        lines.append(f"{when}{by}: {change.words}{why}: {change.effect}.")
    say("\n".join(lines), found.model_dump(), as_json)


@classes.command()
def rename(
    given: Annotated[list[str] | None, _words("OLD NEW")] = None,
    why: _Why = None,
    preview: _Preview = False,
    as_json: Json = False,
) -> None:
    """Give a class another name; all its answers follow.

    \b
    Examples:
      activelab classes rename tickets.db bug defect --why "as the developers say"
    """
    place, names = split_place(given or [])
    if len(names) != 2:
        raise InputError(
            "name the class and its new name, as in: activelab classes rename tickets.db bug defect"
        )
    _change(place, "rename", names[:1], names[1:], why, preview, as_json)


@classes.command()
def merge(
    into: Annotated[
        str, typer.Option(metavar="CLASS", help="What they become, a class there is or a new one.")
    ],
    given: Annotated[list[str] | None, _words("CLASS...")] = None,
    why: _Why = None,
    preview: _Preview = False,
    as_json: Json = False,
) -> None:
    """Make one class of several; the answers of all count as it.

    \b
    Examples:
      activelab classes merge tickets.db question help --into question
    """
    place, names = split_place(given or [])
    _change(place, "merge", names, [into], why, preview, as_json)


@classes.command()
def split(
    into: _Into,
    given: Annotated[list[str] | None, _words("CLASS")] = None,
    why: _Why = None,
    preview: _Preview = False,
    as_json: Json = False,
) -> None:
    """Make several classes of one; which of them an old answer means is not known, so it is asked again.

    \b
    Examples:
      activelab classes split tickets.db bug --into crash --into cosmetic --preview
    """
    place, names = split_place(given or [])
    _change(place, "split", names, into, why, preview, as_json)


@classes.command()
def retire(
    given: Annotated[list[str] | None, _words("CLASS")] = None,
    as_: Annotated[
        str | None, typer.Option("--as", metavar="CLASS", help="The class its answers follow to.")
    ] = None,
    why: _Why = None,
    preview: _Preview = False,
    as_json: Json = False,
) -> None:
    """Offer a class no more; its answers follow to another, or are set aside and asked again.

    \b
    Examples:
      activelab classes retire tickets.db praise --as other
      activelab classes retire tickets.db praise
    """
    place, names = split_place(given or [])
    _change(place, "retire", names, [] if as_ is None else [as_], why, preview, as_json)


def _change(
    place: str,
    action: Action,
    names: list[str],
    into: list[str],
    why: str | None,
    preview: bool,
    as_json: bool,
) -> None:
    with project_at(place) as project:
        from activelab.project.insight import class_preview, class_table
        from activelab.project.labelling.reclassing import Reclass

        wanted = Reclass(action, tuple(names), tuple(into))
        if preview:
            would = class_preview(project, wanted)
            say(f"It would be: {would.words}; {would.effect}.", would.model_dump(), as_json)
            return
        project.change_classes(wanted, why=why)
        done = class_table(project).changes[0]
    say(f"{done.words}: {done.effect}.", done.model_dump(), as_json)
