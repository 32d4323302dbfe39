"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from activelab._errors import unknown
from activelab.formats import (
    _argilla,
    _crowds,
    _doccano,
    _ground_truth,
    _label_studio,
    _potato,
    _prodigy,
    _tables,
)
from activelab.formats._record import Record, Source
from activelab.formats._spool import Spool


@dataclass(frozen=True)
class FileFormat:
    """A format of files of labels.

    Attributes
    ----------
    name : str
    title : str
        What it is, in a few words.
    endings : tuple of str
        What the name of a file that is written may end in, besides ``.gz`` after it.
    holds_unlabelled : bool
        Whether an example without labels can be written.
    read : callable
    write : callable
    """

    name: str
    title: str
    endings: tuple[str, ...]
    holds_unlabelled: bool
    read: Callable[[Source], Iterator[Record]]
    write: Callable[[IO[bytes], Spool, str, Sequence[str]], None]


_TABLES = (".csv", ".tsv", ".parquet", ".jsonl")

FORMATS = {
    one.name: one
    for one in (
        FileFormat("long", "one row a label: task, worker, label (crowd-kit)", _TABLES, False,
                   _tables.read_long, _tables.write_long),
        FileFormat("wide", "one row an example, one column an annotator (cleanlab)", _TABLES, True,
                   _tables.read_wide, _tables.write_wide),
        FileFormat("label-studio", "Label Studio JSON", (".json",), True,
                   _label_studio.read_json, _label_studio.write_json),
        FileFormat("label-studio-min", "Label Studio JSON-MIN", (".json",), False,
                   _label_studio.read_flat, _label_studio.write_min),
        FileFormat("label-studio-csv", "Label Studio CSV or TSV", (".csv", ".tsv"), False,
                   _label_studio.read_flat, _label_studio.write_table),
        FileFormat("prodigy", "Prodigy JSONL", (".jsonl",), True, _prodigy.read, _prodigy.write),
        FileFormat("argilla", "Argilla records, also as a Hugging Face dataset", (".jsonl", ".parquet"), True,
                   _argilla.read, _argilla.write),
        FileFormat("mturk", "Mechanical Turk batch results", (".csv",), False,
                   _crowds.read_mturk, _crowds.write_mturk),
        FileFormat("toloka", "Toloka results", (".tsv",), False, _crowds.read_toloka, _crowds.write_toloka),
        FileFormat("ground-truth", "SageMaker Ground Truth, answers of workers", (".json",), True,
                   _ground_truth.read_workers, _ground_truth.write_workers),
        FileFormat("ground-truth-manifest", "SageMaker Ground Truth, output manifest",
                   (".manifest", ".jsonl"), True, _ground_truth.read_manifest, _ground_truth.write_manifest),
        FileFormat("doccano", "doccano zip archive", (".zip",), True, _doccano.read, _doccano.write),
        FileFormat("potato", "Potato export or annotation folder", (".csv", ".tsv", ".jsonl"), False,
                   _potato.read, _potato.write),
    )
}  # fmt: skip


def get_format(name: str) -> FileFormat:
    """A format by name.

    Raises
    ------
    InputError
        If there is none of the name.
    """
    if name not in FORMATS:
        raise unknown("format", name, list(FORMATS))
    return FORMATS[name]
