"""Files of examples over HTTP: images at once, audio and video also in parts, so that players can seek."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from activelab.project.media import MediaError, open_media
from activelab.web._failures import Failure

_CHUNK = 256 * 1024
_STATUS = {"missing": 404, "large": 413, "type": 415}


def media_response(root: str | None, name: object, part: str, wanted: str | None = None) -> Response:
    """A file below the folder of media.

    Parameters
    ----------
    root : str or None
        The folder of the project.
    name : object
        Path below it, as it was imported.
    part : {"image", "audio", "video"}
    wanted : str, optional
        The header Range.

    Raises
    ------
    Failure
        If there is no such file below the folder (404), it is too large (413), it is nothing that browsers
        show without running anything in it (415), or no such part of it (416).
    """
    if root is None:
        raise Failure(
            404, "the project has no folder of media; set it with: activelab settings image_root=FOLDER"
        )
    try:
        file, size, type_ = open_media(root, name, part)
    except MediaError as error:
        raise Failure(_STATUS[error.why], f"{error}.") from None
    headers = {"Cache-Control": "private, max-age=600", "Content-Disposition": "inline"}
    if part == "image":
        with file:
            return Response(file.read(size), media_type=type_, headers=headers)
    try:
        first, last = _range(wanted, size)
    except Failure:
        file.close()
        raise
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(last + 1 - first)}
    if wanted is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return _Part(
        file,
        first,
        last + 1 - first,
        status_code=206 if wanted is not None else 200,
        media_type=type_,
        headers=headers,
    )


class _Part(StreamingResponse):
    """Bytes of a file, which is closed although a player that seeks hears no more of them, or none at all."""

    def __init__(self, file: BinaryIO, first: int, length: int, **options: Any) -> None:
        super().__init__(_chunks(file, first, length), **options)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _range(wanted: str | None, size: int) -> tuple[int, int]:
    """The first and last byte of a Range; several ranges at once are not served."""
    if wanted is None:
        return 0, size - 1
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", wanted.strip())
    if found and found[1]:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
    elif found and found[2]:
        first, last = max(size - int(found[2]), 0), size - 1
    else:
        first, last = size, 0
    if first > last:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Failure(416, "there is no such part of the file.", code="bad_request", headers=headers)
    return first, last


def _chunks(file: BinaryIO, first: int, length: int) -> Iterator[bytes]:
    file.seek(first)
    while length > 0 and (data := file.read(min(_CHUNK, length))):
        length -= len(data)
        yield data
