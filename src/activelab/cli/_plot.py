"""``activelab plot``: the figure of stored results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError, first
from activelab._whole import whole_file
from activelab.cli._streams import source

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".png", ".pdf", ".svg")


def plot(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS...",
            help="Tables of results as simulate writes them; a panel each.",
            show_default=False,
            readable=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Figure: .png, .pdf or .svg.")
    ] = Path("results.png"),
    measure: Annotated[
        str, typer.Option(help="Column that counts as accuracy, such as consensus_accuracy.")
    ] = "test_accuracy",
) -> None:
    """Draw the learning curves of stored results: mean and standard deviation over the trials.

    \b
    Examples:
      activelab plot results.parquet
      activelab plot digits.parquet labelme.parquet --measure consensus_accuracy -o curves.pdf
    """
    results = [source(path) for path in results]
    check_figure(output, tuple(str(path) for path in results))
    draw(output, {path.stem: _read(path, measure) for path in results}, measure)
    typer.echo(str(output))


def check_figure(path: Path, inputs: tuple[str, ...] = ()) -> None:
    """Raise unless a figure can be written there."""
    from activelab.tables import check_target

    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: a figure ends in {', '.join(ENDINGS)}.")
    check_target(path, inputs)


def draw(path: Path, tables: Mapping[str, pa.Table], measure: str = "test_accuracy") -> None:
    """A panel of learning curves for each table."""
    from activelab.plots import compared_curves
    from activelab.simulation import learning_curves_of

    panels: dict[str, Any] = {
        name: (learning_curves_of(table, measure), ()) for name, table in tables.items()
    }
    figure = compared_curves(panels, ylabel=measure.replace("_", " "))
    with whole_file(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=150)


def _read(path: Path, measure: str) -> pa.Table:
    """A table of results."""
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    from activelab.tables import check_file, format_of, naming

    with naming(path):
        check_file(path)
        read: Any = {
            "csv": pyarrow.csv.read_csv,
            "jsonl": pyarrow.json.read_json,
            "parquet": pyarrow.parquet.read_table,
        }[format_of(path).kind]
        try:
            table = read(path)
        except pyarrow.ArrowException as error:
            raise InputError(f"cannot be read: {' '.join(str(error).split())}") from None
        wanted = ("method", "trial", "round", "num_annotations", measure)
        absent = [name for name in wanted if name not in table.column_names]
        if absent:
            raise InputError(f"is no table of results: no column {first(absent)}.")
        return table
