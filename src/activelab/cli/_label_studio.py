"""``activelab label-studio``: work with a Label Studio server."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activelab._errors import InputError
from activelab._extras import needs
from activelab.cli._errors import CommandError
from activelab.cli._options import Json, OptionalPredProbsFiles
from activelab.cli._output import working
from activelab.cli._place import Place, place_of, project_at, project_errors

if TYPE_CHECKING:
    from activelab.label_studio import Client, Watcher
    from activelab.project import Project

label_studio = typer.Typer(name="label-studio", rich_markup_mode=None)

EXTRA = "label-studio"
PASSWORD = "ACTIVELAB_BACKEND_PASSWORD"

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="File with the token, which only you can read (mode 600). Without it: LABEL_STUDIO_API_KEY.",
        show_default=False,
        readable=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change; change nothing.")]
Ahead = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Among how many of the first tasks of the order labelled ones are opened again.",
        show_default="twice the batch size",
    ),
]
Every = Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the server.")]
ConsensusToo = Annotated[
    bool,
    typer.Option(
        "--consensus", help="Also write the consensus of labelled tasks there, as predictions to review."
    ),
]
ConsensusAfterRounds = Annotated[
    bool, typer.Option("--consensus", help="After each round write the consensus there, as push does.")
]
NoTrain = Annotated[bool, typer.Option("--no-train", help="Never train by itself.")]
Host = Annotated[str, typer.Option(help="Address to listen at.")]
AllowRemote = Annotated[bool, typer.Option("--allow-remote", help="Let other machines connect.")]


@label_studio.callback(invoke_without_command=True)
def _label_studio(context: typer.Context) -> None:
    """Let people label in Label Studio, in the order of the rounds.

    \b
    Examples:
      activelab label-studio connect tickets.db --url https://labels.example.org --project 7
      activelab label-studio watch tickets.db
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@label_studio.command()
def connect(
    place: Place = None,
    url: Annotated[str, typer.Option(help="Address of the server.", show_default=False)] = "",
    number: Annotated[
        int, typer.Option("--project", help="Number of the project, as in its address.", show_default=False)
    ] = 0,
    example_field: Annotated[
        str | None,
        typer.Option(
            help="Field of a task's data that holds the id of its example.", show_default="its number"
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="What a new project's examples are: text, image or table.", show_default=False),
    ] = None,
    token_file: TokenFile = None,
) -> None:
    """Connect a project with a Label Studio project; a project that does not exist is made.

    \b
    Examples:
      activelab label-studio connect tickets.db --url https://labels.example.org --project 7
      activelab label-studio connect tickets.db --url http://127.0.0.1:8080 --project 7 --example-field ticket

    Its labelling configuration must be one tag: <Choices>, with one answer or check boxes, <Rating> or
    <Taxonomy>. If it has none yet, it gets one that asks what the project asks.
    """
    if not url or number < 1:
        raise InputError("say which project: --url https://labels.example.org --project 7.")
    where = place_of(place)
    with _connection(url, token_file) as client:
        from activelab.label_studio import Link, connect, labelling_config, labelling_of
        from activelab.project import Settings, create_project, open_project

        about = client.project(number)
        new = "://" not in where and not Path(where).exists()
        if not new and not about.get("parsed_label_config"):
            with open_project(where) as project:
                client.change_project(number, {"label_config": labelling_config(project.settings)})
            about = client.project(number)
        labelling = labelling_of(about)
        settings = Settings(
            title=str(about.get("title") or "Untitled project"),
            kind=kind or labelling.kind,
            question=labelling.asks,
            classes=labelling.classes,
        )
        with create_project(where, settings) if new else open_project(where) as project:
            connect(project, Link(client.url, number, example_field), labelling)
            shown = project.database.name if "://" in where else where
    made = "Made and connected" if new else "Connected"
    typer.echo(
        f"{made} {shown} with project {number} at {client.url}: {', '.join(labelling.classes)}. "
        f"Next: activelab label-studio pull {shown}"
    )


@label_studio.command()
def config(
    place: Place = None,
    taxonomy: Annotated[
        bool,
        typer.Option("--taxonomy", help="Choose from a tree: the classes are paths such as Animal/Cat."),
    ] = False,
) -> None:
    """Print a labelling configuration that asks what the project asks.

    \b
    Examples:
      activelab label-studio config topics.db
      activelab label-studio config topics.db --taxonomy

    One class is asked for by <Choices>, sets by those with check boxes, a scale from 1 by <Rating>.
    """
    with needs(EXTRA, "Label Studio"):
        from activelab.label_studio import labelling_config

    with project_at(place_of(place), EXTRA) as project:
        typer.echo(labelling_config(project.settings, taxonomy=taxonomy))


@label_studio.command()
def pull(
    place: Place = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything again.")] = False,
    dry_run: DryRun = False,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Read new tasks, and annotations that are new, were edited or deleted.

    \b
    Examples:
      activelab label-studio pull tickets.db
      activelab label-studio pull tickets.db --dry-run
    """
    with _linked(place, token_file) as (project, client), working("Reading from the server"):
        from activelab.label_studio import pull

        done = pull(project, client, full=full, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(asdict(done) | {"dry_run": dry_run}, ensure_ascii=False))
        return
    typer.echo(
        f"{'Would pull' if dry_run else 'Pulled'} {done.labels:,} labels, {done.changed:,} changed, "
        f"{done.skips:,} skips, {done.deleted:,} deleted, {done.new_examples:,} new examples; "
        f"{done.tasks:,} tasks read."
    )
    if done.gone:
        typer.echo(f"{done.gone:,} tasks are no longer on the server; their labels are kept.")
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)


@label_studio.command()
def push(
    place: Place = None,
    train: Annotated[bool, typer.Option("--train", help="Train a round first.")] = False,
    pred_probs: OptionalPredProbsFiles = None,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="First make a task of each example that has none.")
    ] = False,
    consensus: ConsensusToo = False,
    ahead: Ahead = None,
    dry_run: DryRun = False,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Write the order of the round to the server: scores, and which tasks are open to how many.

    \b
    Examples:
      activelab label-studio push tickets.db --train
      activelab label-studio push tickets.db --pred-probs probs.csv
      activelab label-studio push tickets.db --tasks --consensus
      activelab label-studio push tickets.db --dry-run

    What changed on the server is pulled first. Only what differs is written.
    """
    if dry_run and (train or pred_probs):
        raise InputError("--dry-run changes nothing, so it cannot train; leave out --train and --pred-probs.")
    with _linked(place, token_file) as (project, client), working("Writing to the server"):
        from activelab.label_studio import add_tasks, pull, push, push_consensus

        made = add_tasks(project, client, dry_run=dry_run) if tasks else 0
        if train or pred_probs:
            from activelab.project.training.round import train_on_files

            pull(project, client)
            train_on_files(project, pred_probs or ())
        done = push(project, client, ahead=ahead, dry_run=dry_run)
        reviewed = push_consensus(project, client, dry_run=dry_run) if consensus else 0
    if as_json:
        more = {"tasks": made, "consensus": reviewed, "dry_run": dry_run}
        typer.echo(json.dumps(asdict(done) | more, ensure_ascii=False))
        return
    if tasks:
        typer.echo(f"{'Would make' if dry_run else 'Made'} {made:,} tasks.")
    for line in done.changes if dry_run else ():
        typer.echo(line)
    typer.echo(
        f"{'Would push' if dry_run else 'Pushed'} round {done.round} as {done.model_version}: "
        f"{done.scores:,} scores, {done.opened:,} tasks opened, {done.closed:,} closed; "
        f"{done.open_tasks:,} wait for a label."
    )
    if consensus:
        typer.echo(f"{'Would write' if dry_run else 'Wrote'} the consensus of {reviewed:,} tasks.")


@label_studio.command()
def status(place: Place = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Where the two projects stand, and how much the next pull and push would change.

    \b
    Examples:
      activelab label-studio status tickets.db
      activelab label-studio status tickets.db --json | jq .open_tasks
    """
    with _linked(place, token_file) as (project, client), working("Asking the server"):
        from activelab.label_studio import load_link, pull, push

        link, version = load_link(project), client.version()
        read = pull(project, client, dry_run=True)
        pushed = push(project, client, dry_run=True) if project.num_examples else None
    state = {
        "url": link.url,
        "project": link.number,
        "server_version": version,
        "round_there": link.pushed_round if link.complete else None,
        "round_here": None if pushed is None else pushed.round,
        "model_version": link.model_version or None,
        "to_pull": read.news + read.new_examples,
        "to_push": None if pushed is None else pushed.scores + pushed.opened + pushed.closed,
        "open_tasks": None if pushed is None else pushed.open_tasks,
    }
    if as_json:
        typer.echo(json.dumps(state, ensure_ascii=False))
        return
    for name, value in state.items():
        typer.echo(f"{name.replace('_', ' '):<15} {'none yet' if value is None else value}")


@label_studio.command()
def watch(
    place: Place = None,
    every: Every = 30.0,
    ahead: Ahead = None,
    no_train: NoTrain = False,
    consensus: ConsensusAfterRounds = False,
    webhook: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the server reaches --port of this machine, to be told of changes at once.",
            show_default="polling alone",
        ),
    ] = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for the webhook.")] = 9091,
    allow_remote: AllowRemote = False,
    token_file: TokenFile = None,
) -> None:
    """Pull, train and push, round after round, until it is stopped.

    \b
    Examples:
      activelab label-studio watch tickets.db
      activelab label-studio watch tickets.db --every 10 --webhook http://127.0.0.1:9091

    A webhook that does not come loses nothing: the server is polled all the same.
    """
    _check_listening(host, allow_remote)
    with _linked(place, token_file) as (project, client), ExitStack() as stack:
        from activelab.label_studio import Watcher

        watcher = Watcher(project, client, every, not no_train, ahead, _say, consensus)
        if webhook is not None:
            from activelab.label_studio import check_url
            from activelab.label_studio.listener import create_listener, listening, registered

            target = f"{check_url(webhook)}".rstrip("/") + "/webhook"
            secret = secrets.token_urlsafe(32)
            stack.enter_context(listening(create_listener(watcher, secret), host, port))
            stack.enter_context(registered(watcher, target, secret))
        _until_stopped(watcher)


@label_studio.command()
def backend(
    place: Place = None,
    every: Every = 30.0,
    ahead: Ahead = None,
    no_train: NoTrain = False,
    consensus: ConsensusAfterRounds = False,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; 0 for any that is free.")] = 9090,
    allow_remote: AllowRemote = False,
    token_file: TokenFile = None,
) -> None:
    """Be an ML backend for Label Studio, and do what watch does.

    \b
    Examples:
      activelab label-studio backend tickets.db --port 9090
      activelab label-studio backend tickets.db --host 0.0.0.0 --allow-remote

    Add it in Label Studio under Settings, Model. What ACTIVELAB_BACKEND_PASSWORD holds here is the password
    of basic authentication there; without one other machines are not let in. "Start training" there trains
    a round here.
    """
    password = os.environ.get(PASSWORD) or None
    _check_listening(host, allow_remote)
    if password is None and allow_remote:
        raise InputError(f"set {PASSWORD}: without a password everybody could connect.")
    with _linked(place, token_file) as (project, client):
        from activelab.label_studio import Watcher
        from activelab.label_studio.listener import create_listener, listening

        watcher = Watcher(project, client, every, not no_train, ahead, _say, consensus)
        app = create_listener(watcher, secrets.token_urlsafe(32), password=password, predict=True)
        with listening(app, host, port) as address:
            _say(f"ML backend: {address}  (Ctrl-C stops it)")
            _until_stopped(watcher)


# ---------------------------------------------------------------------- what they share


@contextmanager
def _connection(url: str, token_file: Path | None) -> Iterator[Client]:
    """A client of a server, with its errors in words of the command line."""
    with project_errors(EXTRA):
        with needs(EXTRA, "Label Studio"):
            from activelab.label_studio import Client, ServerError, read_token

        try:
            with Client(url, read_token(token_file)) as client:
                yield client
        except ServerError as error:
            raise CommandError(str(error)) from None


@contextmanager
def _linked(place: str | None, token_file: Path | None) -> Iterator[tuple[Project, Client]]:
    with needs(EXTRA, "Label Studio"):
        from activelab.label_studio import load_link

    with (
        project_at(place_of(place), EXTRA) as project,
        _connection(load_link(project).url, token_file) as client,
    ):
        yield project, client


def _check_listening(host: str, allow_remote: bool) -> None:
    from activelab._network import is_loopback

    if not is_loopback(host) and not allow_remote:
        raise InputError(f"{host} can be reached from other machines.", advice="allow_remote")


def _until_stopped(watcher: Watcher) -> None:
    def stop(*_: object) -> None:
        watcher.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        watcher.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    typer.echo(f"{time.strftime('%H:%M:%S')} {text}")
