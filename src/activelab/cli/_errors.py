"""Every failure is one clear line on stderr: exit status 2 for bad input, 1 for a failure."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from activelab._errors import InputError
from activelab._extras import MissingPackageError
from activelab.cli import _streams
from activelab.cli._advice import ADVICE

# typer has its own copy of click or depends on click, by version; both are reached from here.
_UsageError: Any = typer.BadParameter.__base__


class CommandError(Exception):
    """Something other than the input went wrong; the message is all the user needs."""


class CommandGroup(TyperGroup):
    """The group of commands, which words errors in one line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Where a shell completes the first word there is nothing to parse, nor a library to load for it."""
        if ctx.resilient_parsing and not args:
            return []
        return list(super().parse_args(ctx, args))

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and exit with its status."""
        standalone = options.pop("standalone_mode", True)
        options["standalone_mode"] = False
        command = functools.partial(super().main, *args, **options)
        with _streams.streams():
            if not standalone:
                return command()
            sys.exit(_run(command))


def _run(command: Callable[[], Any]) -> int:
    try:
        status = command()
        _streams.send()
    except _UsageError as error:
        page = error.ctx.command_path if error.ctx else "activelab"
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        return _say(f"{message}{'' if message.endswith('?') else '.'} See '{page} --help'.", 2)
    except InputError as error:
        return _say(error.worded(ADVICE), 2)
    except (CommandError, MissingPackageError) as error:
        return _say(str(error), 1)
    except OSError as error:
        name = f"{error.filename}: " if error.filename is not None else ""
        return _say(f"{name}{error.strerror or error}", 1)
    except MemoryError:
        return _say("not enough memory for these files.", 1)
    except typer.Abort:
        return 130
    return status if isinstance(status, int) else 0


def _say(message: str, status: int) -> int:
    typer.echo(f"error: {_streams.named(' '.join(message.split()))}", err=True)
    return status
