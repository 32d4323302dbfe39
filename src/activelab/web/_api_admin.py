"""What admins do: settings, people, training, data in and out."""

from __future__ import annotations

from fastapi import APIRouter

from activelab.web._bodies import (
    ProjectIn,
    ProjectOut,
)
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
        scale_ends=list(settings.scale_ends),
        guidelines=settings.guidelines,
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
