"""How long people wait at the pages, in a real Chromium.

    python benchmarks/pages.py [--examples 100000] [--keys 200] [--classes 1000] [--only PART ...]

    next      from a key to the next example painted, while fifty people are at work on the same server
    classes   from a key in the field that finds one of many classes to its list painted
    map       from opening the map of all examples to its points painted; from a step of a drag to its frame

Server, crew and browser share the cores of this machine. What is painted is taken from the browser: a message
that is handled after the next `requestAnimationFrame`. Limits are those the project has set itself.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from _common import Row, print_machine, print_results
from _crew import CLASSES, Crew, Server, hire, percentile, texts
from activelab.project import Settings, create_project, open_project
from activelab.project.store import accounts
from activelab.project.training.embedding_map import draw_map

PASSWORD = "correct horse battery"
FRAME = 1000 / 60

# Milliseconds until the frame after an event, and the part of them that the page worked.
_PRESS = """async ([selector, keys, pause]) => {
  const waits = [], works = [];
  for (const key of keys) {
    const target = selector ? document.querySelector(selector) : document.body;
    const began = performance.now();
    if (selector) {
      target.value = key;
      target.dispatchEvent(new Event("input", { bubbles: true }));
    } else target.dispatchEvent(new KeyboardEvent("keydown", { key, code: `Digit${key}`, bubbles: true }));
    works.push(performance.now() - began);
    await new Promise((painted) => requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = painted;
      port2.postMessage(0);
    }));
    waits.push(performance.now() - began);
    await new Promise((go) => setTimeout(go, pause));
  }
  return [waits, works];
}"""

_DRAWN = """() => {
  const canvas = document.querySelector("canvas");
  if (!canvas || !canvas.width) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let at = 3; at < data.length; at += 4) painted += data[at] > 0;
  return painted > 5000;
}"""
_DRAG = """async () => {
  const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect(), waits = [];
  const send = (kind, x, y) => canvas.dispatchEvent(new PointerEvent(kind, {
    clientX: box.left + x, clientY: box.top + y, pointerId: 1, isPrimary: true, buttons: 1, bubbles: true,
  }));
  send("pointerdown", 20, 20);
  for (let step = 0; step < 60; step++) {
    const began = performance.now();
    send("pointermove", 20 + 4 * step, 20 + 3 * step);
    await new Promise((painted) => requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = painted;
      port2.postMessage(0);
    }));
    waits.push(performance.now() - began);
  }
  return waits;
}"""


@contextmanager
def visited(server: Server, name: str, path: str) -> Iterator[Page]:
    """A page in a browser of somebody who has logged in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(
            base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 1280, "height": 800}
        )
        page.set_default_timeout(120_000)
        page.goto("/login")
        page.locator("main[aria-busy=false]").wait_for()
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda url: not url.endswith("/login"))
        page.goto(path)
        page.locator("main[aria-busy=false]").wait_for()
        yield page
        browser.close()


def with_password(project: Any, name: str, role: str) -> None:
    def add(connection: Any) -> None:
        identity = accounts.add_annotator(connection, name, time.time(), role=role)
        accounts.set_password(connection, identity, accounts.hashed(PASSWORD))

    project.database.write(add)


def next_example(folder: Path, examples: int, keys: int, people: int = 49) -> list[Row]:
    place = str(folder / "next.db")
    with create_project(place, Settings(title="Load", classes=CLASSES)) as project:
        project.add_examples(texts(examples))
        with_password(project, "ann", "annotator")
        hired = hire(project, people)
    server = Server(place, "--no-train")
    with Crew([server.port], hired, think=1.0) as crew, visited(server, "ann", "/label") as page:
        crew.wait_for_each(2)
        page.keyboard.press("1")
        page.wait_for_timeout(2000)
        at, begun = crew.labels, time.perf_counter()
        waits, works = page.evaluate(_PRESS, [None, [str(1 + i % 3) for i in range(keys)], 300])
        rate = (crew.labels - at) / (time.perf_counter() - begun)
    with open_project(place) as project:
        stored = int(np.count_nonzero(np.asarray(project.labels().annotators, dtype=object) == "ann"))
    server.stop()
    print(
        f"next example of {examples:,}, {people + 1} at work ({rate:.0f} labels/s of the others): median "
        f"{percentile(waits, 0.5):.0f} ms, p95 {percentile(waits, 0.95):.0f} ms; the page worked "
        f"{percentile(works, 0.95):.1f} ms of it (p95)",
        flush=True,
    )
    assert stored
    return [Row("key to next example painted, p95", percentile(waits, 0.95), 50, "ms", at_least=False)]


def many_classes(folder: Path, number: int, keys: int) -> list[Row]:
    place = str(folder / "classes.db")
    draw = np.random.default_rng(0)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("rn", "st", "l", "nd")]
    names = tuple(dict.fromkeys(" ".join(draw.choice(words, 3)) for _ in range(2 * number)))[:number]
    with create_project(place, Settings(title="Many", classes=names)) as project:
        project.add_examples(texts(1000))
        with_password(project, "ann", "annotator")
    server = Server(place, "--no-train")
    with visited(server, "ann", "/label") as page:
        field = page.get_by_label("Find a class")
        field.focus()
        selector = f"#{field.get_attribute('id')}"
        typed = [name[: 1 + i % 6] for i, name in enumerate(draw.choice(names, keys))]
        waits, works = page.evaluate(_PRESS, [selector, typed, 60])
    server.stop()
    print(
        f"{number:,} classes: list painted after a key, median {percentile(waits, 0.5):.0f} ms, p95 "
        f"{percentile(waits, 0.95):.0f} ms; the page worked {percentile(works, 0.95):.1f} ms of it (p95)",
        flush=True,
    )
    return [
        Row(
            f"{len(names):,} classes: work of a key, p95",
            percentile(works, 0.95),
            FRAME,
            "ms",
            at_least=False,
        )
    ]


def embedding_map(folder: Path, examples: int) -> list[Row]:
    place = str(folder / "map.db")
    draw = np.random.default_rng(0)
    features = (
        draw.normal(size=(examples, 32)) + 4 * draw.normal(size=(10, 32))[draw.integers(0, 10, examples)]
    )
    with create_project(place, Settings(title="Map", classes=CLASSES)) as project:
        project.add_examples(texts(examples), features=features.astype(np.float32))
        with_password(project, "jude", "adjudicator")
        begun = time.perf_counter()
        draw_map(project)
        took = time.perf_counter() - begun
    server = Server(place, "--no-train")
    with visited(server, "jude", "/account") as page:
        begun = time.perf_counter()
        page.goto("/browse")
        page.locator("main[aria-busy=false]").wait_for()
        page.locator("#map-panel summary").click()
        page.locator("canvas").scroll_into_view_if_needed()
        while not page.evaluate(_DRAWN):
            page.wait_for_timeout(20)
        opened = time.perf_counter() - begun
        waits = page.evaluate(_DRAG)
    server.stop()
    print(
        f"map of {examples:,}: made in {took:.0f} s, once a round at most; page open and map painted after "
        f"{opened:.1f} s; a step of a drag over it painted after {percentile(waits, 0.95):.0f} ms (p95)",
        flush=True,
    )
    return [
        Row(f"map of {examples:,}: page opened and painted", opened, 3, "s", at_least=False),
        Row("a step of a drag over it, p95", percentile(waits, 0.95), 50, "ms", at_least=False),
    ]


def main() -> None:
    parts = ("next", "classes", "map")
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--examples", type=int, default=100_000)
    options.add_argument("--keys", type=int, default=200)
    options.add_argument("--classes", type=int, default=1000)
    options.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    chosen = options.parse_args()
    print_machine("fastapi", "uvicorn", "playwright")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        if "next" in chosen.only:
            rows += next_example(Path(folder), chosen.examples, chosen.keys)
        if "classes" in chosen.only:
            rows += many_classes(Path(folder), chosen.classes, chosen.keys)
        if "map" in chosen.only:
            rows += embedding_map(Path(folder), chosen.examples)
    print_results(rows)


if __name__ == "__main__":
    main()
