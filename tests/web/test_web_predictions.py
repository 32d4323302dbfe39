"""Predictions of a model of one's own, sent to a running server."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from web_site import running

from activelab.project.labelling import rounds

pytestmark = pytest.mark.slow

N = 20
CLASSES = ["cat", "dog", "eel"]


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db", n=N) as one:
        one.project.add_labels(
            (f"e{i}", who, CLASSES[i % 3]) for i in range(12) for who in ("old ann", "old bob")
        )
        yield one


def probabilities() -> np.ndarray:
    return np.where(np.arange(N)[:, None] % 3 == [0, 1, 2], 0.8, 0.1)


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def served(site) -> int:
    return site.project.database.read(rounds.current_round)


def send(site, body: bytes, format_: str):
    with site.program("ada") as ada:
        headers = {"Content-Type": "application/octet-stream"}
        return ada.post("/api/v1/predictions", params={"format": format_}, content=body, headers=headers)


def test_a_table_in_any_order_and_an_ensemble_of_arrays(site):
    frame = pd.DataFrame(probabilities(), columns=CLASSES)
    frame.insert(0, "example", [f"e{i}" for i in range(N)])
    reply = send(site, frame.sample(frac=1, random_state=0).to_csv(index=False).encode(), "csv")
    assert reply.status_code == 200, reply.text
    summary = reply.json()["summary"]
    assert (reply.json()["id"], summary["models"]) == (1, ["predictions 1"])
    assert summary["metrics"]["cv_accuracy"] == 1
    reply = send(site, npy(np.stack([probabilities()] * 2)), "npy")
    assert reply.status_code == 200, reply.text
    assert reply.json()["summary"]["models"] == ["predictions 1", "predictions 2"]
    assert served(site) == 2
    predicted = site.project.database.read(lambda c: rounds.load_array(c, 2, "predicted"))
    assert predicted.tolist() == [i % 3 for i in range(N)]


@pytest.mark.parametrize(
    ("body", "format_", "message"),
    [
        (b"", "npy", "the body is empty"),
        (npy(probabilities()[:5]), "npy", "predictions.npy"),
        (npy(probabilities() * 2), "npy", "predictions.npy: example 'e0' of pred_probs holds 1.6"),
        (b"example,cat,dog\ne0,0.5,0.5\n", "csv", "eel"),
    ],
)
def test_predictions_that_do_not_fit(site, body, format_, message):
    reply = send(site, body, format_)
    assert reply.status_code == 422, reply.text
    assert message in reply.text
    assert "/tmp" not in reply.text
    assert served(site) == 0
