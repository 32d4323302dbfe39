"""What admins do: settings, people, training, data in and out."""

from __future__ import annotations

from fastapi import APIRouter

from activelab.project.insight import Classes, ClassPreview, class_preview, class_table
from activelab.web._bodies import (
    ClassNoteOut,
    ProjectIn,
    ProjectOut,
    ReclassIn,
    ReclassNowIn,
)
from activelab.web._content import guidelines_of
from activelab.web._failures import ERRORS
from activelab.web._queries import version_of
from activelab.web._site import Site
from activelab.web._visitors import Admin, Annotator, Here, Visitor

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["administration"])


def project_out(site: Site, visitor: Visitor) -> ProjectOut:
    """What a visitor may know of the project."""
    settings = site.project.refresh()
    return ProjectOut(
        title=settings.title,
        kind=settings.kind,  # type: ignore[arg-type]
        question=settings.question,  # type: ignore[arg-type]
        classes=list(settings.classes),
        class_notes={name: ClassNoteOut.model_validate(note) for name, note in settings.notes.items()},
        scale_ends=list(settings.scale_ends),
        guidelines=settings.guidelines,
        guidelines_shown=guidelines_of(settings)[0],
        autoplay=settings.autoplay,
        version=version_of(settings),
        settings=settings.to_dict() if visitor.may("adjudicator") else None,
    )


@router.get("/project", summary="The project")
def project(site: Here, visitor: Annotator) -> ProjectOut:
    """Title, classes and guidelines; for adjudicators also the settings."""
    return project_out(site, visitor)


@router.patch("/project", summary="Change settings")
def change_project(body: ProjectIn, site: Here, visitor: Admin) -> ProjectOut:
    """Change some settings; classes can be added at the end only."""
    site.project.change_settings(body.model_dump(exclude_unset=True), by=visitor.account.id)
    return project_out(site, visitor)


@router.get("/classes", summary="Classes")
def classes(site: Here, _: Admin) -> Classes:
    """The classes, how much is said of each, and all changes of them."""
    return class_table(site.project)


@router.post("/classes/preview", summary="What a change of classes would do")
def preview_classes(body: ReclassIn, site: Here, _: Admin) -> ClassPreview:
    """Nothing is changed."""
    return class_preview(site.project, body.wanted)


@router.post("/classes", summary="Rename, merge, split or retire classes")
def change_classes(body: ReclassNowIn, site: Here, visitor: Admin) -> Classes:
    """What was said of them follows, or is set aside and asked again; events stay as they were given."""
    site.project.change_classes(body.wanted, by=visitor.account.id, why=body.why or None)
    return class_table(site.project)
