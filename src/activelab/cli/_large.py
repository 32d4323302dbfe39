"""Pools in many files, for the commands that take them: when they are, options, plan, progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from activelab._errors import InputError
from activelab._progress import Show
from activelab.cli._inputs import class_names
from activelab.cli._options import (
    Address,
    EngineOption,
    Explain,
    Memory,
    UnmatchedOption,
    WorkDir,
    Workers,
)
from activelab.cli._output import progress_bar
from activelab.cli._reading import Reading
from activelab.cli._streams import source

if TYPE_CHECKING:
    from activelab.kinds import Kind
    from activelab.planning import Batch
    from activelab.scale import ConsensusSummary, Plan, Suggestion

SEPARATOR = "\n"
"""Between the files of one model that a shell made of one pattern."""

_PROBS = ("--pred-probs", "-p")
_ENDINGS = (".parquet", ".pq")


class LargeCommand(TyperCommand):
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


@dataclass(frozen=True)
class Large:
    """How pools in many files are computed; each field is an option of the commands that take them."""

    unmatched: UnmatchedOption = None
    engine: EngineOption = None
    address: Address = None
    workers: Workers = None
    memory: Memory = None
    work_dir: WorkDir = None
    explain: Explain = False

    def asked(self, labels: Sequence[str], models: Sequence[Sequence[str]]) -> bool:
        """Whether the files, or an option that only makes sense there, ask for `activelab.scale`."""
        if any(getattr(self, field.name) not in (None, False) for field in fields(self)):
            return True
        if not models and len(labels) == 1 and Path(labels[0]).is_dir():
            return any(Path(labels[0]).rglob("*.parquet"))  # other folders are of other tools
        tables = [labels, *models]
        return any(len(names) > 1 or _stands_for_several(names[0]) for names in tables)

    def how(self, reading: Reading, seed: int) -> dict[str, Any]:
        """How a pool is read and computed in parts, as `activelab.scale` takes it."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "explain"}
        given = {name: value for name, value in chosen.items() if value is not None}
        return {**_named(reading), **given, "keep": reading.keep.value, "seed": seed}

    def print_plan(
        self, labels: list[str], models: list[list[str]], reading: Reading, as_json: bool, **what: Any
    ) -> None:
        """Print the plan of a run, for ``--explain``."""
        budget = {"workers": self.workers, "memory": self.memory}
        given = {name: value for name, value in budget.items() if value is not None}
        _print_plan(require_scale().plan(labels, models, **_named(reading), **given, **what), as_json)


def files_of(models: Sequence[str] | None) -> list[list[str]]:
    """The files of each model, as ``--pred-probs`` names them."""
    return [[source(name) for name in one.split(SEPARATOR)] for one in models or ()]


def check_readable_in_parts(reading: Reading) -> None:
    """Refuse what says how a file is read that is read into memory."""
    if reading.missing or reading.fold:
        raise InputError(
            "--missing and --fold are for pools that fit the memory. Clean the labels first, with: "
            "activelab convert LABELS labels.parquet --missing WORD --fold --classes LIST"
        )
    if reading.abstain or reading.confidence:
        raise InputError("--abstain and --confidence are for pools that fit the memory.")
    if reading.examples is not None:
        raise InputError("--examples is for arrays; a pool in several files lists its examples itself.")


def consensus_in_parts(
    labels: list[str],
    models: list[list[str]],
    method: str,
    kind: Kind,
    reading: Reading,
    large: Large,
    seed: int,
    output: Path | None = None,
    loss: str | None = None,
) -> tuple[ConsensusSummary, dict[str, Any]]:
    """The consensus of a pool that `check_for_consensus` passes, written to ``output``, and its summary."""
    how = large.how(reading, seed)
    with bar() as shown:
        found = require_scale().consensus(
            labels,
            models,
            output,
            method,
            kind=kind,
            loss=loss,
            progress=shown.advance,
            planned=shown.planned,
            **how,
        )
    why = "with --pred-probs" if kind.name == "single" else f"for answers of the kind {kind.name}"
    chosen = why if method == "auto" else "chosen with --method"
    return found, {"method": found.method, "method_reason": chosen, **facts_of(found)}


def check_for_consensus(models: list[list[str]], reading: Reading) -> None:
    """Refuse what a consensus in parts has no place for."""
    if not models:
        raise InputError("a pool in several files needs --pred-probs, which list its examples.")
    check_readable_in_parts(reading)


def _named(reading: Reading) -> dict[str, Any]:
    """Classes and columns as `activelab.scale` takes them."""
    return {
        "classes": None if reading.classes is None else class_names(reading.classes),
        "example_column": reading.example_column,
        "annotator_column": reading.annotator_column,
        "label_column": reading.label_column,
    }


def _stands_for_several(name: str) -> bool:
    return "://" in name or Path(name).is_dir() or (any(m in name for m in "*?[") and not Path(name).exists())


def _print_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps({**asdict(plan), "bytes_read": plan.bytes_read}))
        return
    how = "used as they are" if plan.aligned else "cut by a hash of the example, by DuckDB"
    if plan.aligned and plan.passes[0][0] == "partition":
        how = "used as they are, but for labels that are cut by their examples"
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
        # How often a search goes over the pool shows as it does.
        expected = Counter(name for name, _, _ in self._plan.passes if name != "partition")
        size = max(self._plan.n_examples, 1)
        so_far = {name: -(-rows // size) for name, rows in self._rows.items()}
        return sum(max(expected[name], so_far.get(name, 0)) for name in {*expected, *so_far}) * size

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
        "read_whole": found.read_whole,
    }


def facts_of(found: Suggestion[Any] | ConsensusSummary) -> dict[str, Any]:
    """What there is to say of a run, whatever is asked for."""
    temperature = getattr(found, "temperature", None)
    return {
        "pool": found.n_examples,
        "labelled": found.n_labelled,
        "n_labels": found.n_labels,
        "annotators": len(found.annotators),
        "classes": len(found.classes),
        "n_models": found.plan.n_models,
        **({} if temperature is None else {"temperature": temperature}),
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
