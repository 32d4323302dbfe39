"""Files that are sent: looked at, proposed, and imported."""

from __future__ import annotations

import os
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathPart
from fastapi.responses import Response

from activelab._errors import InputError
from activelab.project import Project, Settings
from activelab.project.content import MEDIA
from activelab.project.media import MOST_BYTES, folder_beside
from activelab.project.store.accounts import Account
from activelab.project.store.audit import write_audit
from activelab.web._bodies import (
    ColumnsIn,
    ColumnsOut,
    Content,
    ImportIn,
    ImportOut,
    Number,
    PreviewOut,
    ProposalIn,
    ProposalOut,
    UploadOut,
)
from activelab.web._content import content_of
from activelab.web._failures import ERRORS, Failure
from activelab.web._media import media_response
from activelab.web._site import Site
from activelab.web._uploads import Upload, Work, problem_of, work_on
from activelab.web._visitors import Admin, Here

if TYPE_CHECKING:  # the readers of tables bring much that a server needs rarely
    from activelab.project.files.columns import Columns
    from activelab.project.files.importing import Imported

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["data"])
project = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["data"])

UploadId = Annotated[str, PathPart(max_length=100)]

_BLOCK = 1 << 20
_SHOWN = 20
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}


@router.post("/uploads", status_code=201, summary="Send a file", openapi_extra=_BODY)
async def upload(
    request: Request,
    site: Here,
    visitor: Admin,
    name: Annotated[str, Query(min_length=1, max_length=255, description="What it is called.")],
) -> UploadOut:
    """Send a file that is to be imported: a table, a text a line, or a zip of images.

    Nothing is imported yet. It is kept for an hour after it was last asked for, for you alone.
    """
    return _told(await site.uploads.receive(visitor.person.id, name, request))


@router.get("/uploads/{upload_id}", summary="An upload")
def get_upload(upload_id: UploadId, site: Here, visitor: Admin) -> UploadOut:
    """A file that you sent, and how far its import is."""
    return _told(site.uploads.get(visitor.person.id, upload_id))


@router.delete("/uploads/{upload_id}", status_code=204, summary="Delete an upload")
def delete_upload(upload_id: UploadId, site: Here, visitor: Admin) -> None:
    """Delete a file that you sent; what was imported of it stays."""
    one = site.uploads.get(visitor.person.id, upload_id)
    if one.work is not None and one.work.state == "running":
        raise Failure(409, "this file is being imported.")
    site.uploads.drop(one)


@router.post("/uploads/{upload_id}/proposal", summary="What an import would do")
def proposal(upload_id: UploadId, body: ProposalIn, site: Here, visitor: Admin) -> ProposalOut:
    """Look at a file that you sent: what its columns are taken for, its classes, how examples will look."""
    from activelab.project.files.proposal import propose

    one = site.uploads.get(visitor.person.id, upload_id)
    settings = site.project.refresh() if site.has_pool else Settings()
    kind = settings.kind if site.has_pool else body.kind
    if site.has_pool and body.what != "examples":
        return _labels_of(one, site.project, body)
    with _named(one):
        found = propose(one.path, kind=kind, columns=_columns(body.columns), media_folder=settings.image_root)
    for earlier in one.folder.glob("preview-*"):
        earlier.unlink()
    one.preview = [content for _, content in found.preview]
    if not site.has_pool:
        settings = Settings(kind=found.kind)
    return ProposalOut(
        kind=found.kind,
        columns=ColumnsOut(**asdict(found.columns)),
        names=[*found.names],
        classes=[*found.classes],
        num_rows=found.num_rows,
        num_labels=found.num_labels,
        preview=[
            PreviewOut(name=name, content=_shown(one, place, content, settings))
            for place, (name, content) in enumerate(found.preview)
        ],
        problems=[one.said(words) for words in found.problems],
        notes=[one.said(words) for words in found.notes],
    )


@router.get("/uploads/{upload_id}/media/{place}", summary="A file of a proposal", response_class=Response)
def preview_media(
    upload_id: UploadId,
    place: Number,
    request: Request,
    site: Here,
    visitor: Admin,
    part: Annotated[
        Literal["image", "audio", "video"], Query(description="Which file of the example.")
    ] = "image",
) -> Response:
    """The image, audio or video of an example of the last proposal."""
    one = site.uploads.get(visitor.person.id, upload_id)
    if place >= len(one.preview) or part not in one.preview[place]:
        raise Failure(404, f"there is no such {part}.")
    root, name = site.project.settings.image_root, one.preview[place][part]
    if one.is_archive:
        root, name = str(one.folder), _unpacked(one, place, name, part)
    return media_response(root, name, part, request.headers.get("range"))


@project.post("/uploads/{upload_id}/import", status_code=202, summary="Import an upload")
def import_upload(upload_id: UploadId, body: ImportIn, site: Here, visitor: Admin) -> UploadOut:
    """Import a file that you sent, while people label; the upload says how far it is, and what it did."""
    one = site.uploads.get(visitor.person.id, upload_id)
    begin_import(one, site, visitor.account, body)
    return _told(one)


def _labels_of(one: Upload, into: Project, body: ProposalIn) -> ProposalOut:
    """What an import of labels or known answers would do."""
    from activelab.project.files.importing import Imported, check_answers
    from activelab.tables import find_column, row_columns

    columns, names = _columns(body.columns), list[str]()
    with suppress(InputError):
        names = row_columns(one.path)
    found: dict[str, Any] = {
        role: getattr(columns, role) or None for role in ("example", "annotator", "label")
    }
    for role in found:
        with suppress(InputError):
            found[role] = find_column(names, role, found[role])
    done, classes, problems = Imported(), list[str](), list[str]()
    try:
        with _named(one):
            done, classes = check_answers(into, one.path, gold=body.what == "gold", columns=columns)
        problems = [f"line {line}: {why}" for _, line, why in done.rejected]
    except InputError as error:
        problems = [problem_of(error)]
    one.preview = []
    return ProposalOut(
        kind=into.settings.kind,
        columns=ColumnsOut(**found),
        names=names,
        classes=classes,
        num_rows=done.labels + done.gold + done.abstentions + len(done.rejected),
        num_labels=done.labels + done.gold,
        preview=[],
        problems=[one.said(words) for words in problems],
        notes=[one.said(words) for words in done.notes],
    )


def begin_import(
    one: Upload, site: Site, by: Account, body: ImportIn, *, failed: Callable[[], None] = lambda: None
) -> None:
    """Import an upload in the background; ``failed`` cleans up if it cannot be.

    Raises
    ------
    InputError
        If it holds files, and the project has no place for them.
    """
    from activelab.project.files.importing import import_files

    into = site.project
    columns, root = _columns(body.columns), media_root(site, one) if body.what == "examples" else None
    if root is not None:
        Path(root).mkdir(mode=0o700, exist_ok=True)  # as the file of the project is: nobody else reads them

    def do(work: Work) -> Imported:
        with _named(one):
            done = import_files(
                into,
                one.path if body.what == "examples" else None,
                labels=one.path if body.with_labels or body.what == "labels" else None,
                gold=one.path if body.what == "gold" else None,
                columns=columns,
                image_root=root,
                leave_out=body.leave_out,
                skip_known=body.skip_known,
                progress=work.progress,
            )
        facts = {"file": one.name, "examples": done.examples, "labels": done.labels, "gold": done.gold}
        into.database.write(lambda c: write_audit(c, by.id, "file imported", facts))
        return done

    work_on(one, do, failed=failed)


def media_root(site: Site, one: Upload) -> str | None:
    """Where the files of an archive go: a folder of the project. None for an upload without any.

    Raises
    ------
    InputError
        If there is no such place, or the project has its files elsewhere.
    """
    if not one.is_archive:
        return None
    folder = media_folder(site)
    if folder is None:
        raise InputError("there is no folder for images of projects on PostgreSQL.", advice="media_folder")
    root = site.project.settings.image_root
    if root is not None and Path(root) != folder.resolve():
        raise InputError(
            f"the files of this project are in {root}; put these there, and import a table of them."
        )
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise InputError(f"the server may not write to {folder.parent}, where the files would go.")
    return str(folder)


def media_folder(site: Site) -> Path | None:
    """The folder for files that are sent to a project; None if the server has none."""
    database = site.project.database
    if database.is_sqlite:
        return folder_beside(database.place)
    return None if site.media_folder is None else site.media_folder / f"{database.short_name}.files"


def _unpacked(one: Upload, place: int, name: str, part: str) -> str:
    """A file of an archive, in the folder of the upload under a name of ours."""
    target, left = one.folder / f"preview-{place}", MOST_BYTES[part] + 1
    if target.exists():
        return target.name
    partial = one.folder / secrets.token_hex(8)
    try:
        with zipfile.ZipFile(one.path) as archive, archive.open(name) as source, open(partial, "wb") as file:
            while data := source.read(min(left, _BLOCK)):
                file.write(data)
                left -= len(data)
    except (KeyError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        partial.unlink(missing_ok=True)
        raise Failure(404, f"there is no such {part}.") from None
    os.replace(partial, target)
    return target.name


def _columns(given: ColumnsIn) -> Columns:
    from activelab.project.files.columns import Columns

    return Columns(**given.model_dump() | {"show": tuple(given.show)})


def _shown(one: Upload, place: int, content: dict[str, Any], settings: Settings) -> Content:
    found = content_of(0, content, settings)
    media = {
        part: f"/api/v1/uploads/{one.id}/media/{place}?part={part}" for part in MEDIA if getattr(found, part)
    }
    return found.model_copy(update=media)


@contextmanager
def _named(one: Upload) -> Iterator[None]:
    """Errors name the file as its owner does."""
    try:
        yield
    except InputError as error:
        if error.file is not None and Path(error.file) == one.path:
            error.file = one.name
        raise


def _told(one: Upload) -> UploadOut:
    work, told = one.work, None
    if work is not None:
        from activelab.project.files.importing import Imported

        done: Imported = work.result or Imported()
        told = ImportOut(
            state=work.state,
            doing=work.doing,
            at=work.at,
            total=work.total,
            problem=work.problem,
            examples=done.examples,
            labels=done.labels,
            gold=done.gold,
            skipped=done.skipped,
            left_out=[f"line {line}: {why}" for _, line, why in done.rejected[:_SHOWN]],
            num_left_out=len(done.rejected),
            notes=[one.said(words) for words in done.notes],
        )
    return UploadOut(id=one.id, name=one.name, size=one.size, work=told)
