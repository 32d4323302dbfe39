"""The command ``activelab``: one file a command group, each calling the layer above and printing.

What computes is imported inside the commands, so that ``--help`` and completion answer at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from activelab.cli import _audit_project  # noqa: F401  (commands of the group audit)
from activelab.cli._advise import advise
from activelab.cli._annotators import annotators
from activelab.cli._audit import audit
from activelab.cli._consensus import consensus
from activelab.cli._convert import convert
from activelab.cli._demo import demo
from activelab.cli._errors import CommandGroup
from activelab.cli._label_studio import label_studio
from activelab.cli._large import SuggestCommand
from activelab.cli._people import annotator
from activelab.cli._project import import_, init, settings
from activelab.cli._project_use import backup, doctor, export, report, serve, status, train
from activelab.cli._simulate import reproduce, simulate
from activelab.cli._suggest import suggest

__all__ = ["app", "main"]

app = typer.Typer(
    name="activelab",
    cls=CommandGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        from activelab import __version__

        typer.echo(f"activelab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _activelab(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What to label next: a new example, or one that deserves another opinion.

    \b
    Examples:
      activelab suggest labels.csv --pred-probs probs.csv -o batch.csv
      activelab consensus labels.csv --pred-probs probs.csv -o consensus.csv
      activelab annotators labels.csv -o annotators.csv
      activelab demo
      activelab init tickets.db --classes bug,question,praise

    LABELS is a table with one row a label: example, annotator, label. "activelab COMMAND --help" says more.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


# Every command is registered here, in the order of the help page.
app.command(cls=SuggestCommand)(suggest)
for _command in (consensus, annotators, advise, convert, simulate, reproduce, demo):
    app.command()(_command)
app.command()(init)
app.command("import")(import_)
app.command()(serve)
app.command()(train)
app.command()(status)
app.command()(report)
app.command()(export)
app.command()(settings)
app.command()(doctor)
app.command()(backup)
app.add_typer(audit)
app.add_typer(annotator)
app.add_typer(label_studio)


def main() -> None:
    """Run the command line."""
    # Parts of one's own are import paths; last, so that nothing there hides an installed module.
    sys.path.append(os.getcwd())
    app(prog_name="activelab")
