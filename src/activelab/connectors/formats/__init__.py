"""Files of labels of other tools: read, recognised by content, and converted into each other."""

from activelab.connectors.formats._array import parse_array
from activelab.connectors.formats._convert import Conversion, convert_file, read_records, summary_of
from activelab.connectors.formats._detect import detect_format
from activelab.connectors.formats._label_studio import task_annotations
from activelab.connectors.formats._labels import latest_labels, read_label_table, special_format
from activelab.connectors.formats._record import Record, is_later
from activelab.connectors.formats._registry import FORMATS, FileFormat

__all__ = [
    "FORMATS",
    "Conversion",
    "FileFormat",
    "Record",
    "convert_file",
    "detect_format",
    "is_later",
    "latest_labels",
    "parse_array",
    "read_label_table",
    "read_records",
    "special_format",
    "summary_of",
    "task_annotations",
]
