"""``activelab suggest`` on pools in many files: when it is, its plan, its progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from activelab._errors import InputError
from activelab._progress import Show
from activelab.cli._output import progress_bar

if TYPE_CHECKING:
    from activelab.planning import Batch
    from activelab.scale import Plan, Suggestion

SEPARATOR = "\n"
"""Between the files of one model that a shell made of one pattern."""

_PROBS = ("--pred-probs", "-p")
_ENDINGS = (".parquet", ".pq")


class SuggestCommand(TyperCommand):
    """A command in which ``--pred-probs probs/*.parquet`` may be expanded by the shell."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the Parquet files that follow a first one into one value."""
        return list(super().parse_args(ctx, joined(args)))


def joined(args: Sequence[str]) -> list[str]:
    """Arguments in which the Parquet files after ``--pred-probs`` are one value.

    Only after the labels have been named: ``-p PROBS LABELS`` means what it did.
    """
    result: list[str] = []
    after_labels = False
    for arg in args:
        follows = len(result) > 1 and result[-2] in _PROBS and result[-1].endswith(_ENDINGS)
        if follows and after_labels and arg.endswith(_ENDINGS) and not arg.startswith("-"):
            result[-1] += SEPARATOR + arg
            continue
        after_labels = after_labels or not (arg.startswith("-") or (result and result[-1].startswith("-")))
        result.append(arg)
    return result


def is_large(labels: Sequence[str], models: Sequence[Sequence[str]], options: Sequence[Any]) -> bool:
    """Whether the files, or an option that only makes sense there, ask for `activelab.scale`."""
    if any(option not in (None, False) for option in options):
        return True
    tables = [labels, *models]
    return any(len(names) > 1 or _stands_for_several(names[0]) for names in tables)


def _stands_for_several(name: str) -> bool:
    return "://" in name or Path(name).is_dir() or (any(m in name for m in "*?[") and not Path(name).exists())


def print_plan(plan: Plan, as_json: bool) -> None:
    """The plan of a run, for ``--explain``."""
    if as_json:
        import json

        typer.echo(json.dumps({**asdict(plan), "bytes_read": plan.bytes_read}))
        return
    how = "used as they are" if plan.aligned else "cut by a hash of the example, by DuckDB"
    typer.echo(f"examples    {plan.n_examples:,}, {plan.n_models} model(s), {_bytes(plan.prob_bytes)}")
    typer.echo(f"labels      {plan.n_labels:,}, {_bytes(plan.label_bytes)}")
    typer.echo(f"partitions  {plan.partitions:,}: the files are {how}")
    typer.echo(f"workers     {plan.workers}, each about {_bytes(plan.partition_bytes)} beyond its process")
    typer.echo(f"memory      {_bytes(plan.memory)} at most")
    typer.echo("pass        reads")
    for name, size, purpose in plan.passes:
        typer.echo(f"  {name:<10}{_bytes(size):>9}  {purpose}")
    typer.echo(f"  {'in all':<10}{_bytes(plan.bytes_read):>9}")


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"


class Bar:
    """Rows done of all passes, per second, and the time left; on a terminal."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._show("reading the footers", 0, None)
        self._plan: Plan | None = None
        self._rows: dict[str, int] = {}

    def planned(self, plan: Plan) -> None:
        """Learn how much there is to do."""
        self._plan = plan
        what = "partition" if not plan.aligned else "prepare"
        self._show(what, 0, self._total())

    def _total(self) -> int:
        assert self._plan is not None
        # The search for the temperature takes two passes most often; more show as they come.
        expected = [name for name, _, _ in self._plan.passes if name != "partition"]
        size = self._plan.n_examples
        more = max(0, -(-self._rows.get("calibrate", 0) // size) - expected.count("calibrate"))
        return (len(expected) + more) * size

    def advance(self, name: str, rows: int) -> None:
        """Count the rows of a partition that a pass is done with."""
        self._rows[name] = self._rows.get(name, 0) + rows
        self._show(name, sum(self._rows.values()), self._total())


@contextmanager
def bar() -> Iterator[Bar]:
    """A progress bar on a terminal, nothing in a pipe."""
    with progress_bar("rows") as show:
        yield Bar(show)


def summary_of(found: Suggestion[Batch]) -> dict[str, Any]:
    """What is worth knowing about a batch, as ``activelab suggest`` prints it."""
    relabel = int((found.batch.kind == "relabel").sum())
    return {
        "batch_size": len(found.batch),
        "new": len(found.batch) - relabel,
        "relabel": relabel,
        **facts_of(found),
    }


def facts_of(found: Suggestion[Any]) -> dict[str, Any]:
    """What there is to say of a run, whatever is asked for."""
    return {
        "pool": found.n_examples,
        "labelled": found.n_labelled,
        "n_labels": found.n_labels,
        "annotators": len(found.annotators),
        "classes": len(found.classes),
        "n_models": found.plan.n_models,
        "temperature": found.temperature,
        "model_weight": found.model_weight,
        "notes": found.notes,
        "partitions": found.plan.partitions,
        "workers": found.plan.workers,
        "dropped": found.dropped,
    }


def require_scale() -> Any:
    """The package, or what to install."""
    try:
        from activelab import scale
    except ImportError as error:
        raise InputError(
            f"pools in several files need {error.name}: pip install 'activelab[scale]'."
        ) from None
    return scale
