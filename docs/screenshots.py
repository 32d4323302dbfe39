"""The pictures of the pages in this documentation, made anew: python docs/screenshots.py

Three projects on real data that comes with scikit-learn and Python: images of handwritten digits, rows of a
table about wines, and texts, the first sentences of docstrings. The people are simulated. Needs Chromium at
/usr/bin/chromium and the packages playwright, uvicorn and pillow.
"""

from __future__ import annotations

import inspect
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sklearn.datasets import load_digits, load_sample_image, load_wine

from activelab.project import Project, Settings, create_project
from activelab.project.labelling.messages import send_message
from activelab.project.store import accounts
from activelab.project.training.embedding_map import draw_map
from activelab.project.training.round import train_round
from activelab.project.workspace import Workspace
from activelab.web import create_app
from activelab.web._app import create_workspace_app

Scene = Callable[[Page], None]

PICTURES = Path(__file__).parent / "how-to" / "project"
TEAM = {"ann": 0.95, "ben": 0.9, "chloe": 0.92, "dev": 0.75, "ella": 0.88, "finn": 0.55}
DESKTOP = {"viewport": {"width": 1200, "height": 760}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True}
MODULES = {
    "text": ("textwrap", "string", "re", "difflib", "unicodedata", "html"),
    "numbers": ("math", "statistics", "fractions", "decimal", "random", "cmath"),
    "files": ("shutil", "os.path", "glob", "tempfile", "pathlib", "zipfile", "tarfile"),
    "network": ("socket", "ssl", "smtplib", "urllib.request", "ipaddress", "http.client", "ftplib"),
    "time": ("datetime", "calendar", "time", "sched"),
}


# ------------------------------------------------------------------ projects


def digits(folder: Path) -> Project:
    """Images, with seven rounds of a team's work."""
    data = load_digits()
    images = folder / "digits"
    images.mkdir()
    for place, image in enumerate(data.images):
        Image.fromarray((255 - image * 15.9).astype(np.uint8)).save(images / f"{place:04d}.png")
    project = create_project(
        folder / "digits.db",
        Settings(
            title="Handwritten digits",
            kind="image",
            classes=tuple("0123456789"),
            image_root=str(images),
            guidelines="Choose the digit you see.\n\nA seven may have a bar. If two digits are equally "
            "likely, press c if you cannot tell: it costs nothing.",
            models=("logistic-regression", "extra-trees"),
            batch_size=150,
            budget=2000,
            gold_rate=0.05,
        ),
    )
    project.add_examples((f"digit-{i:04d}", {"image": f"{i:04d}.png"}) for i in range(len(data.images)))
    project.set_gold({f"digit-{i:04d}": str(data.target[i]) for i in range(0, 1797, 60)})
    work(project, data.target, rounds=7, labels=150)
    return project


def work(project: Project, truth: Any, rounds: int, labels: int) -> None:
    """A team labels and a round is trained, again and again; the last batch is half done."""
    rng = np.random.default_rng(0)
    people = {name: person(project, name, "annotator") for name in TEAM}
    classes = len(project.settings.classes)
    for turn in range(rounds):
        for _ in range(labels if turn < rounds - 1 else labels // 2):
            name = str(rng.choice(list(TEAM), p=np.array([5, 4, 4, 3, 3, 2]) / 21))
            (lease,) = project.lease(people[name], 1)
            chance, right = rng.random(), int(truth[lease.example_id])
            label = right if chance < TEAM[name] else int(rng.integers(classes))
            seconds = float(rng.lognormal(0.8 if name != "finn" else 0.1, 0.5))
            kind = "label" if rng.random() < 0.985 else str(rng.choice(["skip", "unsure"]))
            project.record(
                people[name],
                lease.id,
                kind,
                label=project.settings.classes[label] if kind == "label" else None,
                reason="It fits several classes" if kind == "skip" else None,
                seconds=seconds,
            )
        if turn < rounds - 1:
            train_round(project)


def wines(folder: Path) -> Project:
    """Rows of a table."""
    data = load_wine()
    project = create_project(
        folder / "wines.db",
        Settings(title="Wines", kind="table", classes=("Barolo", "Grignolino", "Barbera"), budget=400),
    )
    names = [name.replace("_", " ") for name in data.feature_names]
    project.add_examples(
        (f"wine-{i}", dict(zip(names, row, strict=True))) for i, row in enumerate(data.data.round(2).tolist())
    )
    return project


def docstrings(folder: Path) -> Project:
    """Texts, some of them labelled, with disagreements to settle."""
    found = {
        sentence: topic
        for topic, modules in MODULES.items()
        for module in modules
        for sentence in sentences(import_module(module))
    }
    texts = sorted(found)
    np.random.default_rng(1).shuffle(texts)
    project = create_project(
        folder / "docstrings.db",
        Settings(
            title="Docstrings",
            classes=tuple(MODULES),
            guidelines="What is the function about?\n\nfiles: paths and archives too.\n"
            "network: anything that talks to another machine.\ntime: dates, clocks, calendars.\n\n"
            "Skip what is no sentence.",
            batch_size=100,
            budget=800,
        ),
    )
    project.add_examples((f"doc-{i:03d}", {"text": text}) for i, text in enumerate(texts))
    truth = [list(MODULES).index(found[text]) for text in texts]
    work(project, truth, rounds=4, labels=100)
    return project


def functions(folder: Path) -> Project:
    """The same texts, by the module they come from: more classes than fit the page."""
    found = {
        sentence: f"{topic} > {module}"
        for topic, modules in MODULES.items()
        for module in modules
        for sentence in sentences(import_module(module))
    }
    classes = tuple(f"{topic} > {module}" for topic, modules in MODULES.items() for module in modules)
    first = {
        name: (inspect.getdoc(import_module(name.split(" > ")[1])) or "").split("\n\n")[0] for name in classes
    }
    notes = [f"{name} | {' '.join(words.split())}" for name, words in first.items() if words]
    project = create_project(
        folder / "functions.db",
        Settings(title="Modules", classes=classes, class_notes=notes),
    )
    project.add_examples((f"f-{i:03d}", {"text": text}) for i, text in enumerate(sorted(found)))
    project.add_labels(
        (f"f-{i:03d}", "ann", found[text]) for i, text in enumerate(sorted(found)) if i % 3 == 0
    )
    return project


def mixed(folder: Path) -> Project:
    """A photo with a text and fields, and a chat in Markdown."""
    photos = folder / "photos"
    photos.mkdir()
    for name in ("china.jpg", "flower.jpg"):
        Image.fromarray(load_sample_image(name)).save(photos / name)
    project = create_project(
        folder / "mixed.db",
        Settings(
            title="Reports of visitors",
            classes=("place", "plant", "opening hours", "other"),
            image_root=str(photos),
            text_format="markdown",
            terms=("temple", "open*"),
            guidelines="**What is the report about?** Choose by what is *asked*, not by the photo.\n\n"
            "- place: where something is\n- plant: which one it is\n\n![This is a plant](flower.jpg)\n\n"
            "More in the [handbook](https://example.org/handbook).",
        ),
    )
    chat = [
        {"role": "user", "content": "When does the **temple** open?"},
        {
            "role": "assistant",
            "content": "It is open\n\n| day | hours |\n|---|---|\n| Mon–Fri | 9–17 |\n| Sat | 9–12 |",
        },
        {"role": "user", "content": "And on Sundays?"},
    ]
    photo = {"text": "Where is this temple?", "image": "china.jpg", "language": "en", "sent": "2024-05-01"}
    for turn in range(8):  # either is looked for by passing over the other
        project.add_examples([(f"photo-{turn}", photo), (f"chat-{turn}", {"messages": chat})])
    return project


def sentences(module: Any) -> Iterator[str]:
    """The first paragraph of the docstring of each function of a module, and of its classes' methods."""
    owners = [module, *(one for _, one in inspect.getmembers(module, inspect.isclass))]
    for owner in owners:
        for _, one in inspect.getmembers(owner, inspect.isroutine):
            words = " ".join((inspect.getdoc(one) or "").split("\n\n")[0].split())
            if 40 < len(words) < 400 and not words.startswith(("Initialize self", "Return self", "Helper")):
                yield words


def person(project: Project, name: str, role: str) -> int:
    """An account of the project."""
    password = accounts.hashed("a password that nobody uses")

    def add(connection: Any) -> int:
        identity = accounts.add_annotator(connection, name, time.time(), role=role)
        connection.exec_driver_sql(f"UPDATE annotator SET password = '{password}' WHERE id = {identity}")
        return identity

    return project.database.write(add)


# ------------------------------------------------------------------ pictures


@contextmanager
def served(project: Project | Workspace) -> Iterator[tuple[str, Any]]:
    """The address of a server of the project, or of several, and its state."""
    app = create_workspace_app(project) if isinstance(project, Workspace) else create_app(project)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app.state.site
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def visited(browser: Browser, project: Project | Workspace, name: str, **window: Any) -> Iterator[Page]:
    """A window of somebody, at the start page of a server."""
    with served(project) as (url, site):
        account = site.project.database.read(lambda c: accounts.find_account(c, name=name))
        context = browser.new_context(base_url=url, **window)
        context.add_cookies([{"name": site.cookie, "value": site.sign(account, "nonce"), "url": url}])
        yield context.new_page()
        context.close()


# Pictures below the window are not loaded before somebody scrolls there.
LOADED = """Promise.all([...document.images].filter((one) => one.getBoundingClientRect().top < innerHeight)
  .map((one) => one.decode().catch(() => null)))"""


def show(page: Page, path: str) -> None:
    """Open a page and wait until it is filled."""
    page.goto(path)
    expect(page.locator("main")).to_have_attribute("aria-busy", "false", timeout=60_000)
    page.evaluate(LOADED)


def picture(page: Page, *, whole: bool = False) -> Image.Image:
    """What a window shows."""
    page.mouse.move(0, 0)
    return Image.open(BytesIO(page.screenshot(full_page=whole, animations="disabled"))).convert("RGB")


def take(page: Page, name: str, *, whole: bool = False) -> None:
    """A picture in 128 colours, which is enough for pages like these."""
    image = picture(page, whole=whole)
    path = PICTURES / f"{name}.png"
    image.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    told(path)


def everywhere(
    browser: Browser, project: Project | Workspace, name: str, scene: Scene, who: str = "lead"
) -> None:
    """One picture of a scene in four windows: at a desk and on a phone, in the light and in the dark."""
    gap, high = 12, 640
    rows: list[list[Image.Image]] = [[], []]
    for window in (DESKTOP, PHONE):
        with visited(browser, project, who, **window) as page:
            scene(page)
            for row, scheme in zip(rows, ("light", "dark"), strict=True):
                page.emulate_media(color_scheme=scheme)
                image = picture(page)
                row.append(
                    image.resize((round(image.width * high / image.height), high), Image.Resampling.LANCZOS)
                )
            page.context.set_offline(False)
    wide = sum(one.width for one in rows[0]) + gap
    whole = Image.new("RGB", (wide, 2 * high + gap), "#8a8a8a")
    for turn, row in enumerate(rows):
        for at, one in zip((0, wide - row[1].width), row, strict=True):
            whole.paste(one, (at, turn * (high + gap)))
    path = PICTURES / f"{name}.webp"
    whole.save(path, quality=72, method=6)
    told(path)


def told(path: Path) -> None:
    """Say what was made."""
    print(f"{path.relative_to(PICTURES.parents[2])}: {path.stat().st_size / 1024:.0f} KB", flush=True)


# ------------------------------------------------------------------ scenes


def dashboard(page: Page) -> None:
    """Where the project stands."""
    show(page, "/dashboard")


def adjudicate(page: Page) -> None:
    """An example that people do not agree about."""
    show(page, "/adjudicate")


def answers(page: Page) -> None:
    """Some answers, and the list of one's own."""
    show(page, "/label")
    for key in "2143":
        before = page.locator("#example").inner_text()
        page.keyboard.press(key)
        expect(page.locator("#example")).not_to_have_text(before)
    page.locator("#mine").click()
    expect(page.locator("#mine-found li").first).to_be_visible()


def offline(page: Page) -> None:
    """Give some answers on the annotation page that only the browser has."""
    show(page, "/label")
    page.keyboard.press("1")
    expect(page.locator("#strip button").first).to_be_attached()
    page.wait_for_timeout(1000)  # what is ahead has come
    page.context.set_offline(True)
    for key in "2112":
        page.keyboard.press(key)
    expect(page.locator("#unsent")).to_have_text("Offline: 4 answers are kept here")


def find_class(page: Page) -> None:
    """A class that is looked for among many."""
    show(page, "/label")
    page.get_by_label("Find a class").fill("file")
    for _ in range(2):
        page.keyboard.press("ArrowDown")


def photo(page: Page) -> None:
    """A photo with a text and fields."""
    content(page, ".viewer")


def content(page: Page, wanted: str) -> None:
    """An example of `mixed` that has something."""
    show(page, "/label")
    while not page.locator(f"#example {wanted}").count():
        page.keyboard.press("s")
        page.keyboard.press("1")
        expect(page.locator("#example")).to_have_attribute("aria-busy", "false")
    expect(page.locator(f"#example {wanted}")).to_be_visible()
    page.evaluate(LOADED)


def written(page: Page) -> None:
    """What somebody who leads has written to who labels."""
    show(page, "/label")
    expect(page.locator(".message")).to_be_visible()


def practice(page: Page) -> None:
    """An example to practise on, answered."""
    show(page, "/tour")
    page.keyboard.press("3")
    expect(page.locator("#told")).to_be_visible()


def grid(page: Page) -> None:
    """A grid with an exception."""
    show(page, "/bulk")
    page.locator(".tile").nth(4).click()


def embedding_map(page: Page) -> None:
    """Examples by their quality, and the map of all."""
    show(page, "/browse?sort=quality")
    page.locator("#map-panel summary").click()
    expect(page.locator("#map-legend li").first).to_be_visible()
    page.evaluate(LOADED)


def one_person(page: Page) -> None:
    """All people, and one of them."""
    show(page, "/people")
    page.locator("#people tbody button, #people tbody a").last.click()
    expect(page.locator("#person")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")


def plan(page: Page) -> None:
    """What of the dashboard tells of the future."""
    show(page, "/dashboard")
    page.locator("#plan-title").scroll_into_view_if_needed()


def first_file(page: Page) -> None:
    """A file that a project is to be made of."""
    show(page, "/")
    rows = [
        (topic, one) for topic, modules in MODULES.items() for one in sentences(import_module(modules[0]))
    ]
    lines = [
        f'{number},"{one.replace(chr(34), chr(39))}",{topic}' for number, (topic, one) in enumerate(rows)
    ]
    file = {
        "name": "docstrings.csv",
        "mimeType": "text/csv",
        "buffer": "\n".join(["id,text,label", *lines]).encode(),
    }
    page.locator("#intake input").first.set_input_files(file)
    expect(page.locator(".previews li").first).to_be_visible()
    page.locator("#new-title").scroll_into_view_if_needed()


def split_class(page: Page) -> None:
    """What splitting a class would do."""
    show(page, "/settings")
    page.get_by_role("button", name="Split", exact=False).first.click()
    page.get_by_label("Into, one a line").fill("first part\nsecond part")
    expect(page.locator("#reclass-effect")).to_contain_text("asked about again")


def singles(browser: Browser, images: Project, table: Project, texts: Project, several: Project) -> None:
    """The pictures of the page about projects."""
    with visited(browser, images, "lead", **DESKTOP) as page:
        show(page, "/label")
        take(page, "label-image")
        show(page, "/dashboard")
        take(page, "dashboard", whole=True)
        page.locator("#queue tbody a").first.click()
        expect(page.locator("#why dl")).to_be_visible()
        take(page, "example", whole=True)
        show(page, "/team")
        page.get_by_role("button", name="Make a link").click()
        page.locator("#invite-link code").evaluate(
            "(one) => { one.textContent = 'https://label.example.org/join#kT3…' }"
        )
        take(page, "team", whole=True)
        show(page, "/settings")
        take(page, "settings", whole=True)
    with visited(browser, texts, "lead", **DESKTOP) as page:
        show(page, "/label")
        page.keyboard.press("g")
        take(page, "label-text")
        show(page, "/adjudicate")
        take(page, "adjudicate")
    with visited(browser, table, "lead", **DESKTOP) as page:
        show(page, "/label")
        take(page, "label-table")
    with visited(browser, several, "lead", **DESKTOP) as page:
        photo(page)
        page.keyboard.press("g")
        take(page, "label-content")
    with visited(browser, several, "lead", **PHONE, color_scheme="dark") as page:
        content(page, ".turns")
        take(page, "label-chat")


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        images, table, texts = digits(Path(name)), wines(Path(name)), docstrings(Path(name))
        draw_map(images)
        several, modules = mixed(Path(name)), functions(Path(name))
        for project in (images, table, texts, several, modules):
            person(project, "lead", "admin")
        person(images, "newcomer", "annotator")
        singles(browser, images, table, texts, several)
        for scene, project in (
            (find_class, modules),
            (photo, several),
            (embedding_map, images),
            (one_person, images),
            (dashboard, images),
            (plan, images),
            (adjudicate, texts),
            (split_class, images),
            (answers, texts),
            (offline, texts),
        ):
            everywhere(browser, project, f"page-{scene.__name__.replace('_', '-')}", scene)
        newcomer = person(texts, "newcomer", "annotator")
        words = "Please read again what the guidelines say of files: archives are files, too."
        texts.database.write(lambda c: send_message(c, None, [newcomer], words, time.time()))
        everywhere(browser, texts, "page-written", written, "newcomer")
        images.change_settings({"bulk": True, "training_examples": 5, "daily_goal": 200})
        everywhere(browser, images, "page-grid", grid)
        everywhere(browser, images, "page-practice", practice, "newcomer")
        (Path(name) / "projects").mkdir()
        with Workspace(Path(name) / "projects") as workspace:
            person(workspace.people, "lead", "admin")
            everywhere(browser, workspace, "page-first-file", first_file)
        for project in (images, table, texts, several, modules):
            project.close()
        browser.close()


if __name__ == "__main__":
    main()
