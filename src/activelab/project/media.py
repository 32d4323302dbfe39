"""Files of examples: images, audio and video below the folder of a project, and nothing else."""

from __future__ import annotations

import os
import stat
import struct
import warnings
from pathlib import Path
from typing import BinaryIO, Literal

_MIB = 2**20
MOST_BYTES = {"image": 32 * _MIB, "audio": 512 * _MIB, "video": 4096 * _MIB}
MAX_PIXELS = 100_000_000
TYPES = {
    "image": "PNG, JPEG, GIF, WebP or BMP image",
    "audio": "WAV, MP3, AAC, FLAC, Ogg, MP4 or WebM audio",
    "video": "MP4, WebM or Ogg video",
}
"""What browsers show without running anything in it. SVG is none of them."""

_HEAD = 64 * 1024
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STILL = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")


def folder_beside(place: str | os.PathLike[str]) -> Path:
    """The folder for files of a project that were sent to a server: ``tickets.files`` beside ``tickets.db``.

    Examples
    --------
    >>> from activelab.project.media import folder_beside
    >>> folder_beside("tickets.db").name
    'tickets.files'
    """
    return Path(place).with_suffix(".files")


class MediaError(Exception):
    """A file that is not shown.

    Attributes
    ----------
    why : {"missing", "large", "type"}
    """

    def __init__(self, why: Literal["missing", "large", "type"], words: str) -> None:
        super().__init__(words)
        self.why = why


def open_media(root: str, name: object, part: str) -> tuple[BinaryIO, int, str]:
    """Open a file of an example, if it is one.

    Parameters
    ----------
    root : str
        The folder of the project.
    name : object
        Path below it, as it was imported.
    part : {"image", "audio", "video"}

    Returns
    -------
    file : binary file
        At its start; the caller closes it.
    size : int
        Bytes.
    type_ : str
        Media type, by the first bytes; names and endings are not believed.

    Raises
    ------
    MediaError
        If there is no such file below the folder, it is too large, or of another type.
    """
    missing = MediaError("missing", f"there is no such {part}")
    if not isinstance(name, str) or not name or "\x00" in name or "\\" in name:
        raise missing
    folder = Path(root).resolve()
    try:
        path = (folder / name).resolve(strict=True)
        # Links are followed first, so that one that leads out of the folder is refused.
        if not path.is_relative_to(folder) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise missing
        # A named pipe would be waited for without the flag.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, RuntimeError, ValueError):
        raise missing from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise missing
    file = os.fdopen(handle, "rb")
    try:
        if status.st_size > MOST_BYTES[part]:
            raise MediaError("large", f"the {part} is larger than {MOST_BYTES[part] // _MIB:,} MiB")
        type_ = _type_of(file, part)
        file.seek(0)
    except OSError:
        file.close()
        raise missing from None
    except BaseException:
        file.close()
        raise
    return file, status.st_size, type_


def media_problem(root: str, name: object, part: str) -> str:
    """What is wrong with a file of an example; empty if a browser can show it.

    Images are decoded. Whether audio and video can be played beyond their first bytes only a browser knows.
    """
    shown = f"{part} {str(name)[:200]!r}"
    if not isinstance(name, str) or not name:
        return f"it names no {part}"
    strange = "\0" in name or "\\" in name or name.startswith("/") or ".." in Path(name).parts
    if strange or not Path(os.path.realpath(os.path.join(root, name))).is_relative_to(os.path.realpath(root)):
        return f"{shown} is no path below the folder of media"
    try:
        file, _, _ = open_media(root, name, part)
    except MediaError as error:
        return f"there is no {shown}" if error.why == "missing" else f"{shown}: {error}"
    with file:
        return f"{shown} is damaged and cannot be decoded" if part == "image" and not _decodes(file) else ""


def _decodes(file: BinaryIO) -> bool:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, whose limit is MAX_PIXELS
            with Image.open(file) as image:
                image.draft("RGB", (64, 64))  # JPEG decodes small in a fraction of the time
                image.load()
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError):
        return False
    return True


def _type_of(file: BinaryIO, part: str) -> str:
    head = file.read(_HEAD)
    if part != "image":
        found = _sound_or_film(head, part)
    else:
        try:
            found, width, height = _image(head)
            if not found and head.startswith(b"\xff\xd8\xff"):
                # What a camera writes before the size may be longer than the head.
                found, width, height = "image/jpeg", *_jpeg_size(head + file.read())
        except (struct.error, IndexError, KeyError):
            found = ""
        if found and width * height > MAX_PIXELS:
            raise MediaError("large", f"the image has more than {MAX_PIXELS:,} pixels")
    if not found:
        raise MediaError("type", f"the file is no {TYPES[part]}")
    return found


def _image(data: bytes) -> tuple[str, int, int]:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return "image/png", *struct.unpack(">II", data[16:24])
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif", *struct.unpack("<HH", data[6:10])
    if data.startswith(b"BM"):
        width, height = struct.unpack("<ii", data[18:26])
        return "image/bmp", abs(width), abs(height)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp", *_webp_size(data)
    return "", 0, 0


def _sound_or_film(data: bytes, part: str) -> str:
    """Containers may hold either; which is meant the example says."""
    if data[4:8] == b"ftyp" and data[8:12] not in _STILL:
        return f"{part}/mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in data[:64]:
        return f"{part}/webm"
    if data.startswith(b"OggS"):
        return f"{part}/ogg"
    if part == "video":
        return ""
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "audio/wav"
    if data.startswith(b"fLaC"):
        return "audio/flac"
    if data[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "audio/aac"
    # A frame of layer III.
    if data.startswith(b"ID3") or (data[:1] == b"\xff" and data[1:2] in (b"\xfb", b"\xfa", b"\xf3", b"\xf2")):
        return "audio/mpeg"
    return ""


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise KeyError("no marker")
        marker = data[at + 1]
        if marker in _START_OF_FRAME:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
