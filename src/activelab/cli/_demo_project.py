"""The demo as a project: its images, labels and rounds, for the pages to show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from activelab.cli._demo import BRIGHTEST, MODEL
from activelab.labels import Labels
from activelab.learner import RoundResult
from activelab.project import Settings, create_project, insight
from activelab.project.store.upgrades import remove_file
from activelab.project.training.round import train_round

_PIXELS = 160
_GUIDELINES = (
    "Which digit did the writer mean? The images are small, 8 by 8 pixels, and some are hard to tell.\n"
    "Skip what is no digit. Press ? where two digits are equally likely."
)


def make_demo_project(
    place: Path,
    folder: Path,
    images: Any,
    labels: Sequence[Labels],
    rounds: Sequence[RoundResult],
    seed: int,
) -> str:
    """Make a project of the demo's images, with the labels and predictions of each of its rounds.

    Parameters
    ----------
    place : path
        The file of the project; it appears when all is in it.
    folder : path
        Where the images are written.
    images : ndarray, shape (n_images, 64)
        Of which example ``image-0012`` is row 12.
    labels, rounds : sequences of Labels and RoundResult
        What each round knew, and what its learner said.
    seed : int

    Returns
    -------
    str
        The headline of the project.
    """
    names = [str(name) for name in labels[0].examples]
    pixels = np.asarray(images)[[int(name.rpartition("-")[2]) for name in names]] / BRIGHTEST
    folder.mkdir(exist_ok=True)
    for name, one in zip(names, pixels, strict=True):
        drawn = Image.fromarray(np.uint8(255 * (1 - one.reshape(8, 8))))
        drawn.resize((_PIXELS, _PIXELS), Image.Resampling.NEAREST).save(folder / f"{name}.png")
    partial = place.with_name(f".{place.name}.partial")
    remove_file(partial)  # of a demo that was cut off
    settings = Settings(
        title="Handwritten digits",
        kind="image",
        classes=tuple(map(str, labels[0].classes)),
        guidelines=_GUIDELINES,
        models=(MODEL,),
        seed=seed,
        batch_size=len(rounds[0].positions),
        image_root=str(folder.resolve()),
    )
    with create_project(partial, settings) as project:
        contents = ((name, {"image": f"{name}.png"}) for name in names)
        project.add_examples(contents, features=pixels)
        for known, said in zip(labels, rounds, strict=True):
            table = known.to_long("pyarrow").to_pydict()
            columns = (table["example"], table["annotator"], map(str, table["label"]))
            project.add_labels(zip(map(str, columns[0]), map(str, columns[1]), columns[2], strict=True))
            train_round(project, pred_probs=list(said.pred_probs))
        sentence = insight.headline(project).sentence
    partial.rename(place)
    return sentence
