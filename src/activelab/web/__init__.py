"""The annotation page, the dashboard and the HTTP API of a project."""

from activelab.web._app import create_app
from activelab.web._serve import serve

__all__ = ["create_app", "serve"]
