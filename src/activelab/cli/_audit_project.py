"""``activelab audit start``, ``enter`` and ``show``: audits of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from activelab._errors import InputError
from activelab.cli._audit import (
    CheckerAnswers,
    CheckerError,
    Confidence,
    Delta,
    Epsilon,
    Number,
    SafeFile,
    ToCheck,
    audit,
    words_of,
)
from activelab.cli._options import Json, TableFormat
from activelab.cli._output import say, working
from activelab.cli._place import Place, place_of, project_at, split_place
from activelab.cli._streams import source, target

_Audit = Annotated[
    int | None, typer.Option("--audit", min=1, help="Number of the audit.", show_default="the latest")
]


@audit.command()
def start(
    place: Place = None,
    number: Number = 100,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of the draw.", show_default="random")
    ] = None,
    output: ToCheck = None,
    as_json: Json = False,
    format_: TableFormat = None,
) -> None:
    """Draw the labels of a project that somebody should check, on the page Audit or in a list.

    \b
    Examples:
      activelab audit start tickets.db -n 60
      activelab audit start tickets.db -n 100 -o to_check.csv
    """
    from activelab.tables import write_table

    output = target(output, format_)
    with project_at(place_of(place)) as project, working("Drawing"):
        import pyarrow as pa

        from activelab.project import insight
        from activelab.project.labelling.audits import list_checks

        identity = insight.draw_audit(project, number, seed=seed)
        asked = [one.example_id for one in project.database.read(lambda c: list_checks(c, identity))]
        names = [one.name for one in project.examples(asked)]
    if output is not None:
        columns = [pa.array(names, pa.string()), pa.nulls(len(names), pa.string())]
        write_table(output, pa.Table.from_arrays(columns, names=["example", "label"]))
    where = "on the page Audit" if output is None else f"in {output}, then: activelab audit enter"
    say(
        f"Audit {identity} asks for {len(names):,} labels. Check them {where}.",
        {"audit": identity, "drawn": len(names), "output": None if output is None else str(output)},
        as_json,
    )


@audit.command()
def enter(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACE] CHECKS", help="The project, and the list, filled in.", show_default=False
        ),
    ] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who has checked: an adjudicator or admin.")] = "",
    number: _Audit = None,
    as_json: Json = False,
) -> None:
    """Put checks from a list into a project. They are decisions: they are the labels that count.

    \b
    Example:
      activelab audit enter tickets.db to_check.csv --by lea

    Empty rows are left out, and so are rows that are entered already.
    """
    place, rest = split_place(given or [])
    if len(rest) != 1 or not by:
        raise InputError(
            "name the list and who has checked, as in: activelab audit enter tickets.db to_check.csv --by lea"
        )
    with project_at(place) as project, working("Storing the checks"):
        from activelab.project.files.checks import enter_checks

        identity = _number(project, number)
        entered = enter_checks(project, identity, source(Path(rest[0])), by)
    say(f"Entered {entered:,} checks.", {"audit": identity, "entered": entered}, as_json)


@audit.command()
def show(
    place: Place = None,
    number: _Audit = None,
    confidence: Confidence = 0.95,
    epsilon: Epsilon = 0.05,
    delta: Delta = 0.05,
    checker_error: CheckerError = None,
    checker_answers: CheckerAnswers = None,
    safe: SafeFile = None,
    as_json: Json = False,
    format_: TableFormat = None,
) -> None:
    """What an audit of a project says, and labels safe to ship; they are those of when it was drawn.

    \b
    Examples:
      activelab audit show tickets.db
      activelab audit show tickets.db --epsilon 0.02 --safe safe.parquet
    """
    safe = target(safe, format_)
    with project_at(place_of(place)) as project, working("Measuring"):
        from activelab.cli._audit_pool import checker_of
        from activelab.project import insight
        from activelab.project.files.export import safe_table, write_for_people

        checker, identity = checker_of(checker_error, checker_answers), _number(project, number)
        found = insight.audit_result(
            project, identity, epsilon=epsilon, delta=delta, checker=checker, confidence=confidence
        )
        if safe is not None:
            table = safe_table(project, identity, epsilon=epsilon, delta=delta, checker=checker)
            write_for_people(safe, table)
    estimate = found.estimate
    values = found.model_dump() | {"output": None if safe is None else str(safe)}
    shown = values | {
        "share": None if estimate is None else estimate.share,
        **({} if estimate is None else estimate.model_dump()),
    }
    say(f"audit    {identity} of round {'–' if estimate is None else estimate.round}\n{words_of(shown)}",
        values, as_json)  # fmt: skip


def _number(project: Any, number: int | None) -> int:
    from activelab.project.labelling.audits import list_audits

    if number is not None:
        return number
    known = project.database.read(list_audits)
    if not known:
        raise InputError("there is no audit yet. Draw one with: activelab audit start")
    return int(known[0].id)
