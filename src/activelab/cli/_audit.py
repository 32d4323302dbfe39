"""``activelab audit``: which labels to check, and what the checks say of all.

Of files here, of projects in ``_audit_project``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from activelab._errors import InputError
from activelab.cli._consensus import ConsensusMethod, check_method, run_method
from activelab.cli._inputs import listed_words, read_inputs
from activelab.cli._options import Json, LabelsFile, Missing, OptionalPredProbsFiles, Seed, TableFormat
from activelab.cli._output import say, working
from activelab.cli._reading import Reading, reads_files
from activelab.cli._streams import source, target

audit = typer.Typer(name="audit", rich_markup_mode=None)

Number = Annotated[int, typer.Option("--number", "-n", min=2, help="Labels to check.")]
Confidence = Annotated[
    float, typer.Option(min=0.5, max=0.9999, help="How often the intervals should hold the truth.")
]
Epsilon = Annotated[
    float, typer.Option(min=0.0001, max=0.9999, help="Of labels safe to ship at most this share is wrong.")
]
Delta = Annotated[float, typer.Option(min=0.0001, max=0.9999, help="… but with this probability.")]
CheckerError = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=0.9,
        help="How often whoever checks errs, if that is known.",
        show_default="learned, or never",
    ),
]
CheckerAnswers = Annotated[
    str | None,
    typer.Option(
        metavar="RIGHT,WRONG",
        help="How often whoever checks was right and wrong where the answer was known, as 45,5.",
        show_default=False,
    ),
]
SafeFile = Annotated[
    Path | None,
    typer.Option(
        "--safe", metavar="FILE", help="Write the labels that are safe to ship there.", readable=False,
        show_default=False,
    ),
]  # fmt: skip
ToCheck = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="The list to fill in.", readable=False, show_default=False
    ),
]


@audit.callback(invoke_without_command=True)
def _audit(context: typer.Context) -> None:
    """How many labels are right, from a few that a trusted person checks, and which are safe to ship.

    \b
    Of files:
      activelab audit draw labels.csv -p probs.csv -n 100 -o to_check.csv --pool audit.parquet
      activelab audit report audit.parquet to_check.csv --safe safe.csv
    Of a project:
      activelab audit start tickets.db -n 100
      activelab audit show tickets.db
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@audit.command()
@reads_files
def draw(
    labels: LabelsFile,
    pred_probs: OptionalPredProbsFiles = None,
    number: Number = 100,
    output: ToCheck = None,
    pool: Annotated[
        Path | None,
        typer.Option(
            "--pool",
            metavar="FILE",
            help="Every label with what the report needs of it. Whoever checks should not see it.",
            readable=False,
            show_default=False,
        ),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Right answers there are: example, label. They count and need no check.",
            readable=False,
            show_default=False,
        ),
    ] = None,
    mix_in: Annotated[
        int,
        typer.Option(min=0, help="Mix in so many known answers, to learn how often whoever checks errs."),
    ] = 0,
    method: ConsensusMethod = "auto",
    reading: Reading = Reading(),  # noqa: B008
    seed: Seed = 0,
    as_json: Json = False,
    format_: TableFormat = None,
) -> None:
    """Draw the labels that a trusted person should check: most where the consensus is least sure.

    \b
    Examples:
      activelab audit draw labels.csv -o to_check.csv --pool audit.parquet
      activelab audit draw labels.csv -p probs.csv -n 200 --known gold.csv --mix-in 20 -o to_check.csv \\
        --pool audit.parquet

    The list has the columns example and label; fill in the right class without looking at what others said.
    Any beginning of it is an audit, too. The pool has the columns example, label, quality, stratum,
    inclusion (the probability to be drawn), position and known.
    """
    from activelab.audit import draw_audit
    from activelab.cli._audit_pool import known_codes, tables_of
    from activelab.tables import write_table

    if (output is None and format_ is None) or pool is None:
        raise InputError(
            "name two files: the list to fill in with -o, and with --pool what the report needs."
        )
    if mix_in and known is None:
        raise InputError("--mix-in needs right answers: give --known.")
    check_method(method, with_models=bool(pred_probs))
    request = reading.request(labels, pred_probs)
    known = None if known is None else source(known)
    inputs = (*request.files, *(() if known is None else (str(known),)))
    output = target(output, format_, (*inputs, str(pool)))
    pool = target(pool, inputs=inputs)
    assert output is not None
    assert pool is not None
    with working("Reading the files"):
        given, models = read_inputs(request)
        codes = (
            None
            if known is None
            else known_codes(
                known, given, reading.example_column, reading.label_column, listed_words(reading.missing)
            )
        )
    with working("Estimating the consensus"):
        consensus, used, _ = run_method(method, given, models, seed)
    drawn = draw_audit(consensus, number, known=codes, seed=seed)
    to_check, table = tables_of(drawn, codes, given, mix_in, seed)
    write_table(pool, table)
    write_table(output, to_check)
    counts = {
        "drawn": len(drawn.examples),
        "mixed_in": to_check.num_rows - len(drawn.examples),
        "labels": int(drawn.size.sum()) + len(drawn.known_right),
        "known": len(drawn.known_right),
        "method": used,
        "output": str(output),
        "pool": str(pool),
        "notes": [*request.notes, *consensus.notes],
    }
    say(
        f"Wrote {to_check.num_rows:,} of {counts['labels']:,} labels to {output}: fill in the column label.\n"
        f"Then: activelab audit report {pool} {output}",
        counts,
        as_json,
        notes=counts["notes"],
    )


@audit.command()
def report(
    pool: Annotated[
        Path,
        typer.Argument(
            metavar="POOL", help="What `audit draw` wrote to --pool.", readable=False, show_default=False
        ),
    ],
    checks: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKS", help="The list, filled in: example, label.", readable=False, show_default=False
        ),
    ],
    confidence: Confidence = 0.95,
    epsilon: Epsilon = 0.05,
    delta: Delta = 0.05,
    checker_error: CheckerError = None,
    checker_answers: CheckerAnswers = None,
    safe: SafeFile = None,
    missing: Missing = None,
    as_json: Json = False,
    format_: TableFormat = None,
) -> None:
    """What the checks say: the share of right labels and of each class, and labels safe to ship.

    \b
    Examples:
      activelab audit report audit.parquet to_check.csv
      activelab audit report audit.parquet to_check.csv --epsilon 0.02 --delta 0.05 --safe safe.csv
      activelab audit report audit.parquet to_check.csv --checker-answers 45,5 --json

    Empty rows are not checked yet. How often whoever checks errs is learned from known answers that were
    mixed in, and from examples that stand in the list twice, as two people checked them; the first counts.
    """
    from activelab.cli._audit_pool import checker_of, measured, read_pool, safe_table
    from activelab.tables import write_table

    checker = checker_of(checker_error, checker_answers)
    pool, checks = source(pool), source(checks)
    safe = target(safe, format_, (str(pool), str(checks)))
    with working("Reading the files"):
        checked = read_pool(pool, checks, listed_words(missing))
    values, ship = measured(checked, checker, confidence, epsilon, delta)
    if safe is not None:
        write_table(safe, safe_table(checked, ship))
    values["output"] = None if safe is None else str(safe)
    say(words_of(values), values, as_json)


def words_of(values: dict[str, Any]) -> str:
    """What an audit found, for people."""
    if values["share"] is None:
        return f"None of {values['drawn']:,} labels is checked yet."
    lines = [
        f"right    {_interval(values)}, {values['confidence']:.0%} confidence; stated {values['stated']:.1%}",
        f"checked  {values['n_checked']:,} of {values['drawn']:,}, {values['wrong']:,} of them wrong; "
        f"{values['known']:,} known answers count, too",
        f"safe     {values['safe']:,} of {values['labels']:,} labels, of which at most "
        f"{values['epsilon']:.1%} are wrong with {1 - values['delta']:.0%} confidence",
        *(f"class    {one['label']}: {_interval(one)}" for one in values["classes"]),
    ]
    return "\n".join(lines)


def _interval(values: dict[str, Any]) -> str:
    return f"{values['share']:.1%} ({values['low']:.1%} to {values['high']:.1%})"
