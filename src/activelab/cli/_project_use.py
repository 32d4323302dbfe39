"""Commands on a project that is there: train, serve, status, report, export, doctor, backup, restore."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError
from activelab._extras import needs
from activelab._whole import whole_file
from activelab.cli._convert import format_names
from activelab.cli._errors import CommandError
from activelab.cli._options import ExampleColumn, Json, OptionalPredProbsFiles, TableFormat
from activelab.cli._output import say, working
from activelab.cli._place import Place, check_report, place_of, project_at, project_errors, split_place
from activelab.cli._streams import source, target

if TYPE_CHECKING:
    from activelab.project import Project


def train(
    place: Place = None,
    pred_probs: OptionalPredProbsFiles = None,
    example_column: ExampleColumn = None,
    limit: Annotated[
        float, typer.Option(min=0.001, metavar="HOURS", help="Give the round up after so long.")
    ] = 12.0,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Give up the round that is being trained, and train none.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train one round now: models, consensus, and a new order of the queue.

    \b
    Examples:
      activelab train tickets.db
      activelab train tickets.db --pred-probs probs.npy
      activelab train tickets.db -p model_a.parquet -p model_b.parquet
      activelab train tickets.db --cancel

    Labelling goes on meanwhile. With --pred-probs nothing is trained: the probabilities of your own models
    are used, out-of-sample, in the order of the pool or with a column of ids.
    """
    files = [source(one) for one in pred_probs or ()]
    with project_at(place_of(place)) as project:
        if cancel:
            _cancel(project, as_json)
            return
        from activelab.project.training.round import train_on_files

        with working("Training"):
            done = train_on_files(project, files, example_column, limit_hours=limit, given_up=_end)
    summary = done.summary
    assert summary.metrics is not None
    say(
        f"Round {done.id} is served: {summary.metrics.num_labels:,} labels.",
        {"round": done.id, **summary.model_dump(exclude_unset=True)},
        as_json,
        notes=summary.notes,
    )


def _end(why: str) -> None:
    """End at once: a model that hangs would not hear of anything else, and nothing is half-written."""
    typer.echo(f"error: the round was given up: {why}.", err=True)
    os._exit(1)


def _cancel(project: Project, as_json: bool) -> None:
    from activelab.project.labelling.rounds import cancel_round
    from activelab.project.store.audit import write_audit

    def cancel(connection: Any) -> int | None:
        number = cancel_round(connection)
        if number is not None:
            write_audit(connection, None, "training cancelled", {"round": number})
        return number

    number = project.database.write(cancel)
    if number is None:
        raise InputError("no round is being trained.")
    say(f"Round {number} is given up.", {"round": number}, as_json)


def serve(
    place: Place = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; 0 for any that is free.")] = 8080,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines connect; put HTTPS before it.")
    ] = False,
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host", metavar="NAME", help="Name the server is reached by; repeat for more."
        ),
    ] = None,
    trusted_proxies: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            metavar="ADDRESS",
            envvar="ACTIVELAB_TRUSTED_PROXIES",
            help="Address or network of a proxy whose X-Forwarded-For is believed; repeat for more.",
        ),
    ] = None,
    https: Annotated[
        bool, typer.Option("--https", help="People reach it by HTTPS, through a proxy: secure cookies.")
    ] = False,
    no_train: Annotated[bool, typer.Option("--no-train", help="Never train by itself.")] = False,
    training_limit: Annotated[
        float, typer.Option(min=0.001, metavar="HOURS", help="Give a training up after so long.")
    ] = 12.0,
    root_path: Annotated[
        str,
        typer.Option(metavar="PREFIX", help="What all addresses begin with, as /labels, behind a proxy."),
    ] = "",
    workspace: Annotated[
        bool, typer.Option("--workspace", help="The address is of a workspace; a folder always is one.")
    ] = False,
    backup_folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", envvar="ACTIVELAB_BACKUP_FOLDER", help="Put backups there at regular times."
        ),
    ] = None,
    backup_hours: Annotated[
        float, typer.Option(min=0.0005, metavar="HOURS", help="From one backup to the next.")
    ] = 24.0,
    backup_keep: Annotated[int, typer.Option(min=1, metavar="N", help="Keep the last N backups.")] = 7,
    media_folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="ACTIVELAB_MEDIA_FOLDER",
            help="Keep images sent to projects on PostgreSQL there.",
        ),
    ] = None,
    metrics_token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="ACTIVELAB_METRICS_TOKEN",
            help="Lets Prometheus read /metrics; better set as a variable than said here.",
        ),
    ] = None,
    log_format: Annotated[
        str, typer.Option(metavar="text|json", help="Lines for people or for programs.")
    ] = "text",
    log_level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="debug, info, warning or error; debug may log what people wrote."),
    ] = "info",
    access_log: Annotated[bool, typer.Option("--access-log", help="Log a line a request.")] = False,
) -> None:
    """Serve the pages of a project: labelling, dashboard, adjudication; and its HTTP API.

    Of a folder all projects are served, each at /p/NAME, with one account for each person.

    \b
    Examples:
      activelab serve tickets.db
      activelab serve tickets.db --port 9000 --no-train
      activelab serve projects/ --root-path /labels
      activelab serve tickets.db --allowed-host label.example.org --trusted-proxy 127.0.0.1 --https
      activelab serve tickets.db --host 0.0.0.0 --allow-remote --allowed-host label.example.org --https
      activelab serve tickets.db --backup-folder /var/backups/tickets --log-format json

    The first start prints a link that makes the first admin. Rounds are trained when they are due.
    """
    run_server(
        place_of(place),
        host=host,
        port=port,
        allow_remote=allow_remote,
        allowed_hosts=allowed_hosts or [],
        trusted_proxies=trusted_proxies or [],
        https=https,
        train=not no_train,
        training_limit=training_limit,
        root_path=root_path,
        workspace=workspace,
        backup_folder=backup_folder,
        backup_hours=backup_hours,
        backup_keep=backup_keep,
        media_folder=media_folder,
        metrics_token=metrics_token,
        log_format=log_format,
        log_level=log_level,
        access_log=access_log,
    )


def run_server(place: str, **options: Any) -> None:
    """Serve a project until it is told to stop."""
    with project_errors():
        with needs("web", "the server"):
            from activelab.web import serve as run
        run(place, **options)


def status(place: Place = None, as_json: Json = False) -> None:
    """Where a project stands: labels, budget, round, training, and how many labels are right.

    \b
    Examples:
      activelab status tickets.db
      activelab status tickets.db --json | jq .labels
    """
    with project_at(place_of(place)) as project:
        from activelab.project import insight

        now, said = insight.overview(project), insight.headline(project)
    if as_json:
        typer.echo(json.dumps({**now.model_dump(), "headline": said.model_dump()}, ensure_ascii=False))
        return
    typer.echo(now.title)
    spent = f"{now.spent:,.15g} collected here"
    if now.budget is not None:
        spent += f", {now.left:,.15g} left of {now.budget:,}"
    known = f"{now.gold:,} gold, {now.decided:,} decided"
    typer.echo(f"examples   {now.examples:,}, {now.labelled:,} labelled, {known}")
    if now.about is not None:
        typer.echo(f"about      the examples of {now.about}")
    if now.questions:
        typer.echo(f"questions  about the same examples: {', '.join(now.questions)}")
    typer.echo(f"labels     {now.labels:,} by {now.annotators:,} annotators; {spent}")
    typer.echo(f"queue      {now.queue_length:,} examples; {now.open_leases:,} are being labelled")
    if now.round is None:
        typer.echo("round      none yet: import examples first")
    else:
        kind = "trained" if now.round.trained else "no model yet"
        truths = f" and {now.round.new_truths:,} known answers" if now.round.new_truths else ""
        typer.echo(
            f"round      {now.round.number} ({kind}), {now.round.new_labels:,} new labels{truths}, "
            f"the next after {now.round.train_every:,}"
        )
    why = f": {now.training.error}" if now.training.error else ""
    due = f"; due: {now.training.due}" if now.training.due else ""
    typer.echo(f"training   {now.training.state}{why}{due}")
    for words in (
        said.sentence,
        said.audit,
        "" if said.forecast is None else said.forecast.sentence,
        said.stale,
    ):
        if words:
            typer.echo(words)


def report(
    place: Place = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.", readable=False)
    ] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Write a report of a project: one HTML file that needs nothing else.

    \b
    Examples:
      activelab report tickets.db
      activelab report tickets.db -o monday.html
    """
    check_report(output)
    with project_at(place_of(place)) as project, working("Writing the report"):
        from activelab.report import project_report

        page = project_report(project)
    with whole_file(output) as file:
        file.write(page.encode())
    say(f"Wrote {output}.", {"output": str(output)}, as_json)


def export(
    place: Place = None,
    what: Annotated[
        str, typer.Option(help="labels, consensus, batch, events, checks or questions.")
    ] = "labels",
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="Labels as another tool reads them: a format of `activelab convert`.",
            autocompletion=format_names,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write, - for standard output; WHAT.csv, or labels in FORMAT, if not given.",
            readable=False,
        ),
    ] = None,
    as_json: Json = False,
    format_: TableFormat = None,
) -> None:
    """Write labels, the consensus, the next batch, all events or the checks of audits to a table.

    With questions, the consensus of all questions about the same examples, one row an example.

    \b
    Examples:
      activelab export tickets.db --what consensus -o consensus.csv
      activelab export tickets.db --what events -o events.parquet
      activelab export tickets.db --what batch -o batch.jsonl
      activelab export tickets.db --to label-studio -o tasks.json

    CSV, Parquet or JSON lines by ending. In CSV, texts that a spreadsheet would run as formulas begin with an
    apostrophe. Times are UTC.
    """
    if to is not None:
        _export_as(place, what, to, output, format_, as_json)
        return
    file = target(output, format_) or Path(f"{what}.csv")
    with project_at(place_of(place)) as project, working("Writing the table"):
        from activelab.project.files.export import export_table

        done = export_table(project, what, file)
    say(
        f"Wrote {done.rows:,} rows to {file}.",
        {"rows": done.rows, "output": str(file), "notes": list(done.notes)},
        as_json,
        notes=done.notes,
    )


def _export_as(
    place: str | None, what: str, to: str, output: Path | None, format_: str | None, as_json: bool
) -> None:
    """Labels as a file of another tool."""
    from activelab.formats import get_format, summary_of

    if what != "labels":
        raise InputError(f"--to goes with --what labels: {what} is no table of labels.")
    endings = get_format(to).endings
    out = target(output, format_, formats=[ending[1:] for ending in endings]) or Path(f"labels{endings[0]}")
    with project_at(place_of(place)) as project, working("Writing the file"):
        from activelab.project.files.export import export_as

        done = export_as(project, to, out)
    facts = summary_of(done) | {"output": str(out)}
    say(f"Wrote {done.kept:,} labels to {out} ({to}).", facts, as_json, notes=done.notes)


def doctor(
    place: Place = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Derive again what does not fit the events.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a project: the file, the answers and counts against the events, the queue, the rounds.

    \b
    Examples:
      activelab doctor tickets.db
      activelab doctor tickets.db --repair

    The exit status is 1 if something is wrong and was not repaired. The project may be in use.
    """
    with project_at(place_of(place)) as project, working("Checking the project"):
        from activelab.project.files import doctor as checker

        before = checker.repair(project) if repair else []
        checks = checker.examine(project)
    mended = {one.name: one.problem for one in before if one.problem}
    if as_json:
        rows = [{"name": one.name, "problem": one.problem or None} for one in checks]
        typer.echo(json.dumps({"checks": rows, "repaired": mended}, ensure_ascii=False))
    else:
        for one in checks:
            fixed = f"repaired: {mended[one.name]}" if one.name in mended and not one.problem else ""
            typer.echo(f"{one.name:<21} {one.problem or fixed or 'well'}")
    if any(one.problem for one in checks):
        derivable = all(one.repairable for one in checks if one.problem)
        raise CommandError(
            "something is wrong; --repair derives it again." if derivable and not repair
            else "something is wrong that cannot be derived again; nothing was changed."
        )  # fmt: skip


def backup(
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLACE] FILE", help="The project, and the copy to make.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy a project to a file, as it is at one moment; the server may run.

    \b
    Example:
      activelab backup tickets.db tickets-monday.db

    A copy is a project like any other. Of PostgreSQL, its program pg_dump makes one. activelab restore makes
    a project of either.
    """
    place, rest = split_place(given or [])
    if len(rest) != 1:
        raise InputError("name the copy, as in: activelab backup tickets.db copy.db")
    with project_at(place) as project, working("Copying"):
        from activelab.project.files.backup import back_up

        size = back_up(project, rest[0])
    say(f"Wrote {rest[0]} ({size / 2**20:,.1f} MiB).", {"output": rest[0], "bytes": size}, as_json)


def restore(
    copy: Annotated[
        Path, typer.Argument(metavar="BACKUP", help="What activelab backup or serve has written.")
    ],
    place: Annotated[
        str,
        typer.Argument(
            metavar="PLACE", help="A file that is not there yet, or an empty PostgreSQL database."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Make a project of a backup. It is examined and brought up to date; nothing is overwritten.

    \b
    Examples:
      activelab restore backups/tickets-20261130T020000Z.db tickets.db
      activelab restore backups/tickets-20261130T020000Z.dump postgresql://lead@db.example.org/again

    Move what is left of the old project away first, but leave the key beside it (tickets.db.key): whoever was
    logged in still is. Sessions and tokens that were ended after the backup are valid again; without the key
    only tokens.
    """
    with project_errors():
        from activelab.project.files.backup import restore as run

        with working("Restoring"):
            done = run(copy, place)
        from activelab.project.store.database import database_url

        name = database_url(place).render_as_string(hide_password=True) if "://" in place else place
    notes = [f"Brought up to date: {copy} was made by an older version."] if done.upgraded else []
    notes += [f"Derived again: {one}" for one in done.repaired]
    if not done.key:
        notes.append(f"There is no key beside it ({place}.key): everybody has to log in again.")
    say(
        f"Restored {done.examples:,} examples, {done.labels:,} labels to {name}.",
        {
            "examples": done.examples,
            "labels": done.labels,
            "upgraded": done.upgraded,
            "repaired": list(done.repaired),
            "key": done.key,
        },
        as_json,
        notes=notes,
    )
