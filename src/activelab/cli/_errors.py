"""Every failure is one clear line on stderr: exit status 2 for bad input, 1 for a failure."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from activelab._errors import InputError

# The core words its advice for Python; here is what to do on the command line.
_WORDING = (
    (r"\b[Pp]ass keep='last'", "Use --keep last"),
    (r"\b([Pp])ass classes= to Labels", r"Use --classes"),
    (r"\b[Pp]ass examples= to Labels to list", "Use --examples to list"),
    (r"give pred_probs as a dataframe with a column", "give the probabilities as a table with a column"),
    (r"with unmatched='drop'", "with --unmatched drop"),
    (r"Use labels\.with_examples\(ids\) to add them to it\.", "Add them to --examples."),
)

# typer has its own copy of click or depends on click, by version; both are reached from here.
_UsageError: Any = typer.BadParameter.__base__


class CommandError(Exception):
    """Something other than the input went wrong; the message is all the user needs."""


class CommandGroup(TyperGroup):
    """The group of commands, which words errors in one line."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and exit with its status."""
        standalone = options.pop("standalone_mode", True)
        options["standalone_mode"] = False
        command = functools.partial(super().main, *args, **options)
        if not standalone:
            return command()
        sys.exit(_run(command))


def _run(command: Callable[[], Any]) -> int:
    try:
        status = command()
    except _UsageError as error:
        page = error.ctx.command_path if error.ctx else "activelab"
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        return _say(f"{message}{'' if message.endswith('?') else '.'} See '{page} --help'.", 2)
    except InputError as error:
        return _say(in_words_of_commands(str(error)), 2)
    except CommandError as error:
        return _say(str(error), 1)
    except OSError as error:
        name = f"{error.filename}: " if error.filename is not None else ""
        return _say(f"{name}{error.strerror or error}", 1)
    except MemoryError:
        return _say("not enough memory for these files.", 1)
    except typer.Abort:
        return 130
    return status if isinstance(status, int) else 0


def in_words_of_commands(message: str) -> str:
    """A message of the core with options in place of arguments."""
    for pattern, replacement in _WORDING:
        message = re.sub(pattern, replacement, message)
    return message


def _say(message: str, status: int) -> int:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    return status
