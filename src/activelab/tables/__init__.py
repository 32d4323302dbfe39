"""Tables in and out of files: CSV, Parquet and JSON lines by file ending, arrays as .npy and .npz."""

from activelab._columns import candidates, check_distinct, find_column, is_index
from activelab.tables._arrays import is_array_file, open_array, read_arrays
from activelab.tables._bounded import Bounded, allowance
from activelab.tables._cells import plain_cell
from activelab.tables._errors import naming
from activelab.tables._formats import Format, check_file, format_of, open_bytes, sniff
from activelab.tables._formulas import from_harmless, harmless, without_formulas
from activelab.tables._ids import (
    LONGEST_ID,
    as_ids,
    as_names,
    as_text,
    id_text,
    integers_if_canonical,
    is_canonical_integer,
    is_missing,
    renamed,
    unify,
    whole_numbers,
    without_point,
)
from activelab.tables._json import DEEPEST
from activelab.tables._read import column_names, read_ids, read_pred_probs, split_columns
from activelab.tables._rows import Row, read_rows, row_columns
from activelab.tables._write import check_output, check_target, csv_blocks, to_arrow, write_table

__all__ = [
    "DEEPEST",
    "LONGEST_ID",
    "Bounded",
    "Format",
    "Row",
    "allowance",
    "as_ids",
    "as_names",
    "as_text",
    "candidates",
    "check_distinct",
    "check_file",
    "check_output",
    "check_target",
    "column_names",
    "csv_blocks",
    "find_column",
    "format_of",
    "from_harmless",
    "harmless",
    "id_text",
    "integers_if_canonical",
    "is_array_file",
    "is_canonical_integer",
    "is_index",
    "is_missing",
    "naming",
    "open_array",
    "open_bytes",
    "plain_cell",
    "read_arrays",
    "read_ids",
    "read_pred_probs",
    "read_rows",
    "renamed",
    "row_columns",
    "sniff",
    "split_columns",
    "to_arrow",
    "unify",
    "whole_numbers",
    "without_formulas",
    "without_point",
    "write_table",
]
