"""Files of labels of other tools: read, recognised by content, and converted into each other."""

from activelab.formats._answers import PATH as PATH
from activelab.formats._answers import set_of as set_of
from activelab.formats._array import parse_array as parse_array
from activelab.formats._convert import Conversion, convert_file, read_records
from activelab.formats._convert import summary_of as summary_of
from activelab.formats._detect import detect_format
from activelab.formats._label_studio import answer_value as answer_value
from activelab.formats._label_studio import task_annotations as task_annotations
from activelab.formats._labels import BESIDE as BESIDE
from activelab.formats._labels import latest_labels as latest_labels
from activelab.formats._labels import read_label_table as read_label_table
from activelab.formats._labels import shows_sets as shows_sets
from activelab.formats._record import EMPTY as EMPTY
from activelab.formats._record import Record
from activelab.formats._record import is_later as is_later
from activelab.formats._record import record as record
from activelab.formats._record import seconds_of as seconds_of
from activelab.formats._registry import FORMATS, FileFormat
from activelab.formats._registry import get_format as get_format
from activelab.formats._rows import objects as objects
from activelab.formats._spelling import class_notes as class_notes
from activelab.formats._spelling import meeting as meeting

__all__ = [
    "FORMATS",
    "Conversion",
    "FileFormat",
    "Record",
    "convert_file",
    "detect_format",
    "read_records",
]
