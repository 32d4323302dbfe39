"""The projects of a workspace."""

from __future__ import annotations

import shutil
from typing import Annotated

from fastapi import APIRouter, Path

from activelab._errors import InputError
from activelab.project import Settings, StorageError
from activelab.project.labelling.queue import labels_spent
from activelab.project.settings import load_settings
from activelab.project.store import accounts
from activelab.project.workspace import Workspace
from activelab.web._api_uploads import begin_import
from activelab.web._bodies import (
    DeleteIn,
    ImportIn,
    NewExamplesIn,
    NewProjectIn,
    ProjectState,
    SomeProjectOut,
)
from activelab.web._failures import ERRORS, Failure
from activelab.web._questions import companions_now
from activelab.web._site import Site
from activelab.web._uploads import Upload
from activelab.web._visitors import Admin, Annotator, Here, Visitor

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["workspace"])

ProjectName = Annotated[str, Path(min_length=1, max_length=63)]


@router.get("/projects", summary="Projects")
def projects(site: Here, visitor: Annotator) -> list[SomeProjectOut]:
    """The projects you are in; for admins of the workspace all there are."""
    workspace = _workspace(site)
    aside, admin = workspace.archived(), visitor.may("admin")
    found = []
    for name in workspace.names():
        if name in aside:
            if admin:
                found.append(SomeProjectOut(name=name, title=name, archived=True))
            continue
        try:
            one = _facts(site, name, visitor)
        except (InputError, StorageError) as error:
            one = SomeProjectOut(name=name, title=name, problem=str(error))
        if admin or one.role is not None:
            found.append(one)
    return found


def _facts(site: Site, name: str, visitor: Visitor) -> SomeProjectOut:
    project = site.projects.site(name).project
    settings = project.refresh()
    member, spent = project.database.read(
        lambda c: (accounts.find_member(c, visitor.person.name), labels_spent(c, settings))
    )
    return SomeProjectOut(
        name=name,
        title=settings.title,
        role=None if member is None else member.role,
        kind=settings.kind,
        question=settings.question,
        about=project.ties.about,
        num_examples=project.num_examples,
        collected=round(spent, 3),
        budget=settings.budget,
    )


@router.post("/projects", status_code=201, summary="Make a project")
def make_project(body: NewProjectIn, site: Here, visitor: Admin) -> SomeProjectOut:
    """A new project, of which you are the admin; its settings may be those of another."""
    workspace = _workspace(site)
    given = body.model_dump(exclude_unset=True, exclude={"name", "like", "examples", "about"})
    if body.about is not None:
        if body.like is not None or body.examples is not None:
            raise Failure(422, "its examples are those of the project it asks about.", field="about")
        given.pop("kind", None)
        workspace.add_question(body.name, body.about, given, visitor.person)
        companions_now(site.projects.site(body.about))
        return _facts(site, body.name, visitor)
    file = None if body.examples is None else site.uploads.get(visitor.person.id, body.examples.upload)
    if file is not None and file.is_archive:
        given["image_root"] = None  # not that of another project
    if body.like is not None:
        like = site.projects.site(body.like).project
        settings = Settings(**like.database.read(load_settings).to_dict() | given)
    else:
        settings = Settings(**given)
    workspace.create(body.name, settings, visitor.person)
    made = _facts(site, body.name, visitor)
    if file is not None and body.examples is not None:
        _fill(site, body.name, file, body.examples, visitor)
    return made


def _fill(site: Site, name: str, file: Upload, how: NewExamplesIn, visitor: Visitor) -> None:
    """Import an upload into a project that was just made; without its examples it is none."""
    workspace, own = _workspace(site), site.projects.site(name)

    def undo() -> None:
        site.projects.close(name)
        workspace.archive(name, True, visitor.person)
        workspace.delete(name, visitor.person)

    try:
        account = own.project.database.read(lambda c: accounts.find_member(c, visitor.person.name))
        options = ImportIn(**how.model_dump(exclude={"upload"}))
        begin_import(file, own, account, options, failed=undo)
    except BaseException:
        undo()
        raise


@router.post("/projects/{name}/enter", summary="Enter a project")
def enter_project(name: ProjectName, site: Here, visitor: Admin) -> SomeProjectOut:
    """Become an admin of a project of the workspace; its audit log says so."""
    _workspace(site).enter(name, visitor.person)
    site.projects.site(name).forget_accounts()
    return _facts(site, name, visitor)


@router.patch("/projects/{name}", summary="Archive a project")
def change_project(name: ProjectName, body: ProjectState, site: Here, visitor: Admin) -> SomeProjectOut:
    """Set a project aside, so that nobody works in it, or take it up again."""
    workspace = _workspace(site)
    workspace.archive(name, body.archived, visitor.person)
    if body.archived:
        site.projects.close(name)
        return SomeProjectOut(name=name, title=name, archived=True)
    return _facts(site, name, visitor)


@router.delete("/projects/{name}", status_code=204, summary="Delete a project")
def delete_project(name: ProjectName, body: DeleteIn, site: Here, visitor: Admin) -> None:
    """Delete a project that is set aside, with all its labels; its name is to be given once more."""
    if body.confirm != name:
        raise Failure(422, "the name given is another.", field="confirm")
    _workspace(site).delete(name, visitor.person)
    if site.media_folder is not None:
        shutil.rmtree(site.media_folder / f"{name}.files", ignore_errors=True)


def _workspace(site: Site) -> Workspace:
    assert site.workspace is not None
    return site.workspace
