"""The command ``activelab``: one file a command group, each calling the layer above and printing.

What computes is imported inside the commands, so that ``--help`` and completion answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, Any

import typer

from activelab.cli import _audit_project  # noqa: F401  (commands of the group audit)
from activelab.cli._advise import advise
from activelab.cli._annotators import annotators
from activelab.cli._audit import audit
from activelab.cli._classes import classes
from activelab.cli._consensus import consensus
from activelab.cli._convert import convert
from activelab.cli._demo import demo
from activelab.cli._errors import CommandGroup
from activelab.cli._label_studio import label_studio
from activelab.cli._large import LargeCommand
from activelab.cli._people import annotator
from activelab.cli._plot import plot
from activelab.cli._project import import_, init, settings
from activelab.cli._project_use import backup, doctor, export, report, restore, serve, status, train
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


# Every command is registered here, in the order of the help page, with a line that fits 80 columns.
_COMMANDS: dict[str, tuple[Any, str]] = {
    "suggest": (suggest, "What to label next, best first."),
    "consensus": (consensus, "The most likely label of every labelled example."),
    "annotators": (annotators, "How far each annotator can be trusted, the worst first."),
    "advise": (advise, "Which strategy your labels speak for, and what more buy."),
    "convert": (convert, "Write labels in the format of another tool."),
    "simulate": (simulate, "Compare methods where the truth is known."),
    "plot": (plot, "Draw the learning curves of stored results."),
    "reproduce": (reproduce, "The paper's experiments, and the same on people's labels."),
    "demo": (demo, "The whole loop on real images, in one command."),
    "init": (init, "Make a project."),
    "import": (import_, "Put examples, labels and right answers into a project."),
    "serve": (serve, "Serve the pages of a project."),
    "train": (train, "Train one round of a project now."),
    "status": (status, "Where a project stands."),
    "report": (report, "Write a report of a project, one HTML file."),
    "export": (export, "Write labels, consensus, next batch or events of a project."),
    "settings": (settings, "Show the settings of a project, or change some."),
    "doctor": (doctor, "Check a project for damage."),
    "backup": (backup, "Copy a project to a file."),
    "restore": (restore, "Make a project of such a copy."),
}
_LARGE = ("suggest", "consensus", "annotators")
for _name, (_command, _line) in _COMMANDS.items():
    app.command(_name, cls=LargeCommand if _name in _LARGE else None, short_help=_line)(_command)
app.add_typer(classes, short_help="Rename, merge, split and retire the classes of a project.")
app.add_typer(audit, short_help="How many labels are right, from some that are checked.")
app.add_typer(annotator, short_help="The people of a project.")
app.add_typer(label_studio, short_help="Let people label in Label Studio.")


def main() -> None:
    """Run the command line."""
    # Parts of one's own are import paths; last, so that nothing there hides an installed module.
    sys.path.append(os.getcwd())
    # As after Ctrl-C: what is half done is cleared up.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    app(prog_name="activelab")
