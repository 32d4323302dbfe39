"""Images of examples: files below the project's image folder, and nothing else."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from activelab.web._failures import Failure

MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 100_000_000

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_image(root: str | None, name: object) -> tuple[bytes, str]:
    """The bytes of an image file and their media type.

    Parameters
    ----------
    root : str or None
        The image folder of the project.
    name : object
        Path below it, as it was imported.

    Raises
    ------
    Failure
        If there is no such file below the folder (404), or it is no image that browsers show without
        running anything in it (415). SVG is none.
    """
    missing = Failure(404, "there is no such image.")
    if root is None:
        raise Failure(
            404, "the project has no image folder; set it with: activelab settings image_root=FOLDER"
        )
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
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise missing
            if status.st_size > MAX_BYTES:
                raise Failure(413, f"the image is larger than {MAX_BYTES // 2**20} MiB.")
            data = file.read(MAX_BYTES)
    except (OSError, RuntimeError, ValueError):
        raise missing from None
    kind, width, height = _recognise(data)
    if width * height > MAX_PIXELS:
        raise Failure(413, f"the image has more than {MAX_PIXELS:,} pixels.")
    return data, kind


def _recognise(data: bytes) -> tuple[str, int, int]:
    """Media type, width and height from the first bytes; names and endings are not believed."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return "image/png", *struct.unpack(">II", data[16:24])
        if data.startswith((b"GIF87a", b"GIF89a")):
            return "image/gif", *struct.unpack("<HH", data[6:10])
        if data.startswith(b"BM"):
            width, height = struct.unpack("<ii", data[18:26])
            return "image/bmp", abs(width), abs(height)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return "image/webp", *_webp_size(data)
        if data.startswith(b"\xff\xd8\xff"):
            return "image/jpeg", *_jpeg_size(data)
    except (struct.error, IndexError, KeyError):
        pass
    raise Failure(415, "the file is no PNG, JPEG, GIF, WebP or BMP image.")


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
