"""The documentation: its code runs, its outputs are true, its commands and the public names exist.

In a page, blocks of ``python`` run in order in one namespace and one folder. Lines of ``console`` blocks
that begin with ``$`` run there too. What follows them, or a ``text`` block after a ``python`` block, is the
output; ``...`` stands for anything, and decimals may differ a little. Blocks of ``bash`` are not run; their
commands must exist.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# Reports of measurements on data that is not part of the project.
REPORTS = {"benchmarks.md", "crowd-results.md"}

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_SHELL = 'activelab() { "$PYTHON" -m activelab "$@"; }\nset -o pipefail\n'
_PLAIN = re.compile(r"activelab [^|<>;&*?$`~#]+")
_FRACTION = re.compile(r"-?\d+\.\d+%?|\d+%")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Fence(NamedTuple):
    """A block of code, and the line of the page it begins in."""

    language: str
    text: str
    line: int


def fences(page: Path) -> list[Fence]:
    text = page.read_text(encoding="utf-8")
    return [Fence(m[1], m[2], text.count("\n", 0, m.start(2))) for m in _FENCE.finditer(text)]


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_python(page: Path) -> bool:
    return page.name not in REPORTS and any(fence.language == "python" for fence in fences(page))


# ---------------------------------------------------------------------- code


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if with_python(page)], ids=page_id)
def test_code_runs_and_prints_what_is_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.syspath_prepend(tmp_path)  # models and methods of one's own
    before = set(sys.modules)
    module = types.ModuleType("__docs__")
    monkeypatch.setitem(sys.modules, "__docs__", module)
    printed: str | None = None
    for fence in fences(page):
        where = f"{page_id(page)}:{fence.line}"
        if fence.language == "python":
            printed = run_python(fence, module.__dict__, where)
        elif fence.language == "console":
            run_console(fence, where)
        elif fence.language == "text":
            assert printed is not None, f"{where}: output of no block"
            check(printed, fence.text, where)
            printed = None
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def run_python(fence: Fence, namespace: dict[str, Any], where: str) -> str:
    code = compile("\n" * fence.line + fence.text, where.split(":")[0], "exec")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, namespace)
    return out.getvalue()


def run_console(fence: Fence, where: str) -> None:
    for command, expected in _with_outputs(fence.text):
        status, said = (_run_here if _PLAIN.fullmatch(command) else _run_in_a_shell)(command)
        assert status in (0, 2), f"{where}: {command}\n{said}"
        assert status == 0 or "error:" in expected, f"{where}: {command}\n{said}"
        if expected:
            check(said, expected, where)


def _run_here(command: str) -> tuple[int, str]:
    """Without the second that a process takes to begin."""
    from activelab.cli import app

    done = CliRunner().invoke(app, shlex.split(command)[1:])
    return done.exit_code, done.output


def _run_in_a_shell(command: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-c", _SHELL + command], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _with_outputs(text: str) -> list[tuple[str, str]]:
    """The commands of a block, each with the lines shown after it."""
    parts = re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)
    assert not parts[0].strip(), f"output before the first command: {parts[0]}"
    return [(command, rest) for command, _, rest in (part.partition("\n") for part in parts[1:])]


def check(printed: str, expected: str, where: str) -> None:
    """Compare; percentages and decimals may differ a little from machine to machine."""
    shown, real = _FRACTION.findall(expected), _FRACTION.findall(printed)
    words = [_FRACTION.sub("0.0", text) for text in (expected, printed)]
    good = doctest.OutputChecker().check_output(*words, _FLAGS)
    if good and "..." not in expected:
        good = all(abs(_number(a) - _number(b)) <= 0.04 for a, b in zip(shown, real, strict=True))
    assert good, f"{where} shows\n{expected}\nbut it is\n{printed}"


def _number(text: str) -> float:
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


# ---------------------------------------------------------------------- commands


def command_lines(page: Path) -> list[str]:
    """Every command line that begins with ``activelab``, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    blocks = [f.text.replace("\\\n", " ") for f in fences(page) if f.language in ("console", "bash")]
    shown = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`(activelab [^`]+)`", _FENCE.sub("", text))
    return [line for line in [*shown, *inline] if line.startswith("activelab ")]


def command_group() -> Any:
    import typer

    from activelab.cli import app

    return typer.main.get_command(app)


def check_command(line: str) -> None:
    """Raise unless the command, and each option given, exists."""
    words = shlex.split(re.split(r"\s[|>&]|\s#|…", line)[0])[1:]
    command = command_group()
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if getattr(command, "commands", None) and words:
        assert words[0].startswith("-"), f"no command {words[0]!r}: {line}"
    known = {name for parameter in command.params for name in parameter.opts} | {"-h", "--help"}
    for word in words:
        if word.startswith("-") and not re.fullmatch(r"-\d*", word):
            assert word.split("=")[0] in known, f"no option {word}: {line}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=page_id)
def test_commands_and_options_exist(page):
    for line in command_lines(page):
        check_command(line)


def test_options_in_running_text_exist():
    commands = [command_group()]
    for command in commands:  # grows while it is walked
        commands += getattr(command, "commands", {}).values()
    known = {name for command in commands for parameter in command.params for name in parameter.opts}
    for page in (page for page in PAGES if page.name not in REPORTS):
        for option in re.findall(r"`(--[a-z-]+)", _FENCE.sub("", page.read_text(encoding="utf-8"))):
            assert option in known | {"--help"}, f"{page_id(page)}: {option}"


@pytest.mark.slow
def test_the_reference_shows_the_help_of_every_command():
    specification = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    hooks = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(hooks)
    shown = hooks.on_page_markdown((DOCS / "reference/cli.md").read_text(encoding="utf-8"))
    for name, command in command_group().commands.items():
        assert f"## activelab {name}\n" in shown
        for parameter in command.params:
            assert all(option in shown for option in parameter.opts if option.startswith("-"))


# ---------------------------------------------------------------------- reference


def resolve(path: str) -> Any:
    """The object of a dotted path."""
    parts = path.split(".")
    for size in range(len(parts), 0, -1):
        with contextlib.suppress(ModuleNotFoundError):
            found: Any = importlib.import_module(".".join(parts[:size]))
            for name in parts[size:]:
                found = getattr(found, name)
            return found
    raise AssertionError(f"the reference names {path}, which does not exist")


def documented() -> list[Any]:
    """Every object the reference has an entry for."""
    found: list[Any] = []
    for page in sorted((DOCS / "reference").glob("*.md")):
        for path in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            one = resolve(path)
            found += [getattr(one, name) for name in one.__all__] if hasattr(one, "__all__") else [one]
    return found


@pytest.mark.parametrize(
    "module",
    [
        "activelab",
        "activelab.acquisition",
        "activelab.aggregation",
        "activelab.agreement",
        "activelab.calibration",
        "activelab.classifiers",
        "activelab.formats",
        "activelab.label_studio",
        "activelab.consensus",
        "activelab.labels",
        "activelab.learner",
        "activelab.multiannotator",
        "activelab.plots",
        "activelab.planning",
        "activelab.selection",
        "activelab.strategies",
        "activelab.testing",
        "activelab.training",
        "activelab.simulation",
    ],
)
def test_every_public_name_is_in_the_reference(module):
    entries = documented()
    public = importlib.import_module(module)
    missing = [name for name in public.__all__ if not any(getattr(public, name) is one for one in entries)]
    assert not missing


def test_no_page_is_left_out_of_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"([\w/-]+\.md)$", navigation, re.MULTILINE))
    assert {page.relative_to(DOCS).as_posix() for page in PAGES} <= listed
