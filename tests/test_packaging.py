"""What is declared is what is imported, what is missing is named, and light commands stay light."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import activelab

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "activelab"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

# What a package's modules may import as they are loaded, beyond the base.
ROOMS = {
    "project": ("project",),
    "report": ("project",),
    "web": ("web",),
    "label_studio": ("label-studio",),
    "scale": ("scale",),
    "images.py": ("torch",),
    "aggregation.py": ("pandas",),
    "multiannotator.py": ("pandas",),
    "cli/_demo_project.py": ("project",),
}
# Packages that something else loads by name, and which are therefore imported nowhere.
BY_NAME = {"psycopg", "crowd-kit", "datasets", "httptools", "uvloop"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name, maxsplit=1)[0]).lower()


def requirements(lines: list[str]) -> set[str]:
    """Names of packages, those of the extras that are referred to included."""
    names = set()
    for line in lines:
        within = re.match(r"activelab\[(.+)\]$", line)
        names |= (
            requirements([r for e in within[1].split(",") for r in EXTRAS[e]]) if within else {normal(line)}
        )
    return names


BASE = requirements(PROJECT["dependencies"])
DECLARED = BASE | requirements([line for lines in EXTRAS.values() for line in lines])


def imported(tree: ast.AST, *, lazily: bool) -> set[str]:
    """Top-level names of the packages of others that a module imports, as it is loaded or at all."""
    names: set[str] = set()
    stack = [tree]
    while stack:
        for node in ast.iter_child_nodes(stack.pop()):
            if isinstance(node, ast.Import):
                names |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            elif lazily or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                stack.append(node)
    return names - set(sys.stdlib_module_names) - {"activelab"}


def distribution(module: str) -> str:
    """The package that brings a module."""
    named_otherwise = {
        "PIL": "pillow",
        "pydantic_core": "pydantic",  # one exact version belongs to each
        "argon2": "argon2-cffi",
        "crowdkit": "crowd-kit",
        "prometheus_client": "prometheus-client",
        "sklearn": "scikit-learn",
        "sentence_transformers": "sentence-transformers",
        "markdown_it": "markdown-it-py",
    }
    return named_otherwise.get(module, module)


MODULES = {
    str(path.relative_to(SOURCE)): ast.parse(path.read_text(encoding="utf-8"))
    for path in SOURCE.rglob("*.py")
}


def test_everything_imported_is_declared_where_it_is_needed():
    wrong = {}
    for name, tree in MODULES.items():
        room = next((ROOMS[room] for room in sorted(ROOMS, key=len)[::-1] if name.startswith(room)), ())
        allowed = BASE | requirements([line for extra in room for line in EXTRAS[extra]])
        wrong[name] = {one for one in imported(tree, lazily=False) if distribution(one) not in allowed}
        wrong[name] |= {one for one in imported(tree, lazily=True) if distribution(one) not in DECLARED}
    assert not {name: names for name, names in wrong.items() if names}


def test_everything_declared_is_imported():
    used = {distribution(one) for tree in MODULES.values() for one in imported(tree, lazily=True)}
    assert used | BY_NAME >= DECLARED


def test_all_is_every_extra_but_the_heaviest():
    heavy = {"ray", "text", "torch", "all", "project"}
    assert requirements(EXTRAS["all"]) >= requirements([f"activelab[{','.join(EXTRAS.keys() - heavy)}]"])
    assert not requirements(EXTRAS["all"]) & {"ray", "torch", "sentence-transformers"}


HIDE = """
class Hide:
    def __init__(self, names):
        self.names = names
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
"""


def run(code: str, *hidden: str) -> subprocess.CompletedProcess[str]:
    """A program of somebody who lacks some packages."""
    code = f"import sys\n{HIDE}\nsys.meta_path.insert(0, Hide({hidden!r}))\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def python(code: str, *hidden: str) -> str:
    """The last line that a program says; on stderr if it fails."""
    done = run(code, *hidden)
    return (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()[-1]


def command(line: str) -> str:
    """Code that runs a command."""
    return f"from activelab.cli import app\napp({line.split()!r})"


@pytest.mark.parametrize(
    ("extra", "hidden", "code"),
    [
        ("pandas", "pandas", "import activelab.aggregation"),
        ("pandas", "pandas", "import activelab.multiannotator"),
        ("pandas", "pandas", "from activelab import Labels; Labels.from_wide([[0, 1]]).to_wide()"),
        ("pandas", "pandas", "from activelab import Labels; Labels.from_wide([[0, 1]]).to_long()"),
        ("plots", "matplotlib", "from activelab.plots import learning_curves; learning_curves({})"),
        (
            "postgresql",
            "psycopg",
            command("status postgresql://a@127.0.0.1:1/b"),
        ),
        ("web", "sqlalchemy", command("status a.db")),
        ("web", "fastapi", command("serve a.db")),
        (
            "label-studio",
            "sqlalchemy",
            command("label-studio status a.db"),
        ),
        ("label-studio", "httpx", command("label-studio pull a.db")),
        ("crowdkit", "crowdkit", "from activelab import *; crowdkit(Labels.from_wide([[0, 1]]), 'glad')"),
    ],
)
def test_what_is_missing_is_named_with_the_extra_that_brings_it(extra: str, hidden: str, code: str):
    assert python(code, hidden).endswith(f"needs the package {hidden}: pip install 'activelab[{extra}]'")


def test_files_need_neither_pandas_nor_matplotlib(tmp_path: Path):
    rows = "".join(f"e{i % 9},a{i // 9},{'xy'[i % 2]}\n" for i in range(27))
    (tmp_path / "labels.csv").write_text(f"example,annotator,label\n{rows}")
    probs = "".join(f"e{i},0.{i + 1},0.{9 - i}\n" for i in range(8)) + "e8,0.5,0.5\n"
    (tmp_path / "probs.csv").write_text(f"example,x,y\n{probs}")
    lines = (
        "suggest labels.csv --pred-probs probs.csv -n 3 -o batch.csv",
        "consensus labels.csv -o consensus.csv",
        "annotators labels.csv -o annotators.csv",
        "convert labels.csv out.jsonl",
        "simulate --dataset digits --model logistic-regression --method random --rounds 1 --batch-size 5 "
        "--trials 1 -o digits.parquet",
    )
    code = (
        f"import os; os.chdir({str(tmp_path)!r})\nfrom activelab.cli import app\n"
        f"for line in {lines!r}:\n"
        "    try: app(line.split())\n"
        "    except SystemExit as end: assert not end.code, line"
    )
    done = run(code, "pandas", "matplotlib", "PIL")
    assert done.returncode == 0, done.stderr
    for name in ("batch.csv", "consensus.csv", "annotators.csv", "out.jsonl", "digits.parquet"):
        assert (tmp_path / name).is_file()


@pytest.mark.parametrize("line", ["status", "settings", "annotator list"])
def test_light_commands_load_no_heavy_library(tmp_path: Path, line: str):
    place = tmp_path / "tickets.db"
    run(command(f"init {place} --classes bug,praise"))
    heavy = ["sklearn", "joblib", "scipy.sparse", "scipy.stats", "pandas", "pyarrow", "matplotlib", "alembic"]
    code = (
        "import atexit\n"
        f"atexit.register(lambda: print([name for name in {heavy} if name in sys.modules]))\n"
        f"{command(f'{line} {place}')}"
    )
    assert python(code) == "[]"


def test_the_number_of_workers_is_known_where_the_system_tells_no_affinity():
    code = (
        "import os\n"
        "if hasattr(os, 'sched_getaffinity'): del os.sched_getaffinity\n"
        "from activelab.scale._plan import fit\n"
        "print(fit(100.0, 2**40, None, [])[0])"
    )
    assert int(python(code)) == os.cpu_count()


# ---------------------------------------------------------------------- documents


def test_links_of_the_readme_reach_the_repository_from_the_package_index():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    source = PROJECT["urls"]["Source"]
    links = re.findall(r"\]\(([^)]+)\)", readme)
    assert links
    assert all(link.startswith(("https://", "#")) for link in links)
    ours = [link.removeprefix(f"{source}/") for link in links if link.startswith(source)]
    for link in ours:
        kind, branch, path = link.split("/", 2)
        assert (kind, branch) in {("blob", "main"), ("tree", "main")}
        assert (ROOT / path.partition("#")[0]).exists(), link
    assert source in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_version_is_one_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [activelab.__version__]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d\S*)", changes, re.MULTILINE)[0] == activelab.__version__


def test_sections_of_the_mathematics_that_the_code_names_exist():
    page = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
    numbers = re.findall(r"^## (\d+)\. ", page, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    cited = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "SPEC" not in text, f"{path} names a document that is not in the repository"
        for found in re.findall(r"mathematics\.md\s+§([\d, §and-]*\d)", text):
            cited |= {*re.findall(r"\d+", found)}
    assert cited
    assert cited <= set(numbers)
