"""Where a table and its summary go: a file, a terminal, a pipe, or one JSON object."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from activelab._progress import Show
from activelab.cli import _streams

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_SHOWN = 10


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that work goes on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress_bar(unit: str | None = None) -> Iterator[Show]:
    """A bar on a terminal, nothing in a pipe; with a unit it shows how many of them a second."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class _Speed(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text("" if not task.speed else f"{task.speed:,.0f} {unit}/s")

    amount = MofNCompleteColumn() if unit is None else _Speed()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, end: bar.update(task, description=what, completed=done, total=end)


def say(words: str, values: dict[str, Any], as_json: bool, *, notes: Iterable[str] = ()) -> None:
    """Say what a command has done: in words with notes, or as one JSON object.

    It is said on standard output, unless that is for a table.
    """
    aside = _streams.takes_stdout()
    if as_json:
        typer.echo(_streams.named(json.dumps(values, ensure_ascii=False)), err=aside)
        return
    typer.echo(_streams.named(words), err=aside)
    tell(notes)


def tell(notes: Iterable[str]) -> None:
    """Say on standard error what is worth knowing."""
    for note in notes:
        typer.echo(f"note: {_streams.named(note)}", err=True)


def deliver(
    table: pa.Table,
    summary: dict[str, Any],
    *,
    output: Path | None,
    as_json: bool,
    absent: str = "–",
    written: int | None = None,
) -> None:
    """Write the table and say what is in it.

    Parameters
    ----------
    table : pyarrow.Table
    summary : dict
        What is worth knowing about the table; ``notes`` are what could not be estimated.
    output : path, optional
        File to write, as `_streams.target` gives it. Without one the table goes to a pipe as CSV, and its
        first rows to a terminal.
    as_json : bool
        Print the summary as JSON and nothing else.
    absent : str
        How a null looks in the table on a terminal.
    written : int, optional
        Rows of ``output``, if it is written already: then ``table`` is how it begins.
    """
    from activelab.tables import csv_blocks, write_table

    summary = _plain({**summary, "output": None if output is None else _streams.named(str(output))})
    if output is not None and written is None:
        write_table(output, table)
    if as_json:
        say("", summary, as_json)
        return
    if sys.stdout.isatty() and not _streams.takes_stdout():
        _show(table, summary, absent, table.num_rows if written is None else written)
    elif output is None:
        for block in csv_blocks(table):
            typer.echo(block, nl=False)
    tell(summary["notes"])


def _plain(value: Any) -> Any:
    """JSON types; what is not a finite number is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _show(table: pa.Table, summary: Mapping[str, Any], absent: str, rows: int) -> None:
    from rich.console import Console

    console = Console()
    console.print(_rich_table(table.column_names, table.slice(0, _ROWS_SHOWN).to_pylist(), absent))
    hidden = rows - _ROWS_SHOWN
    if hidden > 0:
        advice = "" if summary["output"] else "; -o FILE writes them all"
        console.print(f"… {hidden:,} more rows{advice}", style="dim", highlight=False)
    for key, value in summary.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            console.print(f"[bold]{key}[/bold]")
            console.print(_rich_table(list(value[0]), value, "not estimable"))
        elif key != "notes" and not (key == "output" and value is None):
            console.print(f"[bold]{key.replace('_', ' ')}[/bold]: {_words(value)}", highlight=False)


def _rich_table(names: list[str], rows: list[dict[str, Any]], absent: str) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD)
    for name in names:
        # With blanks in place of underscores long names wrap; what a row is about never does.
        drawn.add_column(name.replace("_", " "), no_wrap=name == names[0])
    for row in rows:
        values = [row[name] for name in names]
        drawn.add_row(*(escape(absent if value is None else _words(value)) for value in values))
    return drawn


def _words(value: Any) -> str:
    if value is None:
        return "not estimable"
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value) or "none"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 0.001 else f"{value:.3f}"
    return f"{value:,}" if type(value) is int and abs(value) > 99_999 else str(value)
