"""Tables in and out of files: CSV, Parquet and JSON lines by file ending, arrays as .npy and .npz."""

from activelab.tables._arrays import is_array_file, read_arrays
from activelab.tables._cells import plain_cell
from activelab.tables._columns import find_column
from activelab.tables._errors import naming
from activelab.tables._formats import Format, check_file, format_of, sniff
from activelab.tables._formulas import from_harmless, harmless, without_formulas
from activelab.tables._ids import LONGEST_ID, as_ids, as_text, id_text, integers_if_canonical, unify
from activelab.tables._read import column_names, read_ids, read_pred_probs, split_columns
from activelab.tables._rows import Row, read_rows, row_columns
from activelab.tables._write import check_output, check_target, csv_blocks, to_arrow, write_table

__all__ = [
    "LONGEST_ID",
    "Format",
    "Row",
    "as_ids",
    "as_text",
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
    "naming",
    "plain_cell",
    "read_arrays",
    "read_ids",
    "read_pred_probs",
    "read_rows",
    "row_columns",
    "sniff",
    "split_columns",
    "to_arrow",
    "unify",
    "without_formulas",
    "write_table",
]
