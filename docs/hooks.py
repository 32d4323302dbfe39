"""What the build adds to the pages: help of every command, addresses of the API; and one repair."""

from __future__ import annotations

import tempfile
from typing import Any

MARKER = "<!-- help of every command -->"
API_MARKER = "<!-- addresses of the HTTP API -->"
_WIDTH = "82"  # as many characters as a block of code is wide


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of every command and the addresses of the API in place of their markers."""
    for marker, make in ((MARKER, help_pages), (API_MARKER, api_table)):
        if marker in markdown:
            markdown = markdown.replace(marker, make())
    return markdown


def on_page_content(html: str, **_: Any) -> str:
    """A type such as "int or array-like" is taken for a subtraction, and printed as one."""
    return html.replace("array - like", "array-like")


def help_pages() -> str:
    """A section for each command with its ``--help``."""
    return "\n".join(f"## {' '.join(path)}\n\n```\n{_help(path)}```\n" for path in commands())


def api_table() -> str:
    """A table of what the HTTP API can be asked, from its schema."""
    from activelab.project import Settings, create_project
    from activelab.web import create_app

    with tempfile.TemporaryDirectory() as folder, create_project(f"{folder}/api.db", Settings()) as project:
        paths = create_app(project).openapi()["paths"]
    lines = ["| address | does |", "|---|---|"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            words = " ".join(operation.get("description", operation["summary"]).split())
            lines.append(f"| `{method.upper()} {path}` | {words} |")
    return "\n".join(lines)


def commands() -> list[list[str]]:
    """Every command: the program, its commands in the order of the help page, and theirs."""
    import typer

    from activelab.cli import app

    return _walk(["activelab"], typer.main.get_command(app))


def _walk(path: list[str], command: Any) -> list[list[str]]:
    below = getattr(command, "commands", {})
    return [path, *(one for name in below for one in _walk([*path, name], below[name]))]


def _help(path: list[str]) -> str:
    from typer.testing import CliRunner

    from activelab.cli import app

    runner = CliRunner(env={"COLUMNS": _WIDTH, "TERM": "dumb"})
    done = runner.invoke(app, [*path[1:], "--help"], prog_name=path[0], catch_exceptions=False)
    if done.exit_code:
        raise RuntimeError(f"{' '.join(path)} --help: {done.output}")
    return done.output
