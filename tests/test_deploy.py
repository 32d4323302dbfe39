"""What is in deploy/ fits itself and the program; `python deploy/check.py` looks closer."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import compose_spec
import pytest
import typer

from activelab.cli import app

DEPLOY = Path(__file__).parents[1] / "deploy"
DOCKERFILE = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
COMPOSE = (DEPLOY / "compose.yaml").read_text()


def last(instruction: str) -> str:
    """The words of the last instruction of this name: of the stage that is served."""
    return re.findall(rf"^{instruction} (.*)$", DOCKERFILE, re.MULTILINE)[-1]


def services() -> dict[str, dict]:
    compose = compose_spec.PyCompose.from_yaml(COMPOSE)
    compose.validate()
    compose.to_spec()
    return compose.to_dict()["services"]


def test_the_compose_file_is_one_and_its_server_has_no_rights():
    found = services()
    assert found.keys() == {"caddy", "activelab", "database"}
    own = found["activelab"]
    assert own["read_only"] is True
    assert own["cap_drop"] == ["ALL"]
    assert own["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in own  # nobody gets past the proxy
    assert "ports" not in found["database"]
    with pytest.raises(ValueError, match="readonly"):
        compose_spec.PyCompose.from_yaml(COMPOSE.replace("read_only", "readonly"))


def test_the_image_runs_as_nobody_and_says_whether_it_lives():
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last("USER"))
    assert "/healthz" in last("HEALTHCHECK")
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    # pg_dump must be as new as the server it copies: Debian trixie has that of PostgreSQL 17.
    assert {base.rpartition("-")[2] for base in bases} == {"trixie"}
    assert services()["database"]["image"] == "postgres:17"


@pytest.mark.parametrize("file", ["Dockerfile", "compose.yaml", "activelab.service"])
def test_the_server_knows_its_options(file):
    if file == "Dockerfile":
        words = json.loads(last("CMD"))
    elif file == "compose.yaml":
        words = services()["activelab"]["command"]
    else:
        unit = (DEPLOY / file).read_text()
        words = shlex.split(re.search(r"^ExecStart=\S+/activelab (.*)$", unit, re.MULTILINE)[1])
    name, *options = words
    command = typer.main.get_command(app).commands[name]
    given = command.make_context(name, options).params
    assert given["allow_remote"] == (given["host"] != "127.0.0.1")
