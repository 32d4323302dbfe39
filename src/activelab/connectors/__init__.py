"""Where people already label: the files of other tools. `activelab.connectors.label_studio` is live."""

from activelab.connectors.formats import (
    FORMATS,
    Conversion,
    FileFormat,
    Record,
    convert_file,
    detect_format,
    read_records,
)

__all__ = [
    "FORMATS",
    "Conversion",
    "FileFormat",
    "Record",
    "convert_file",
    "detect_format",
    "read_records",
]
