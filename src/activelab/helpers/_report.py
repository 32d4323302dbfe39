"""What helpers and the user's own classifier reach, in words."""

from __future__ import annotations

import numpy as np

from activelab._typing import Bools, Floats, Models
from activelab.consensus.parts import pooled
from activelab.helpers._committee import Committee
from activelab.labels import Labels

_CLEARLY = 2.0  # standard errors


def agreement_note(labels: Labels, student: Models, committee: Committee) -> str:
    """How often helpers and classifier agree with the annotators on examples they were not fitted on.

    Where the helpers do clearly better the note names the best of them: it may be the better classifier.
    """
    taught = _agrees(labels, np.mean(student, axis=0))
    heard = committee.pred_probs.labels  # the same labels
    together = _agrees(heard, pooled(heard, committee.pred_probs)[0])
    text = (
        "on examples not trained on, the committee of helpers agrees with "
        f"{together.mean():.0%} of the annotators' labels, your classifier with {taught.mean():.0%}"
    )
    others = {
        name: _agrees(heard, one)
        for name, own, one in zip(committee.names, committee.own, committee.pred_probs, strict=True)
        if not own
    }
    if not others:
        return f"{text}."
    best = max(others, key=lambda name: float(others[name].mean()))
    ahead = others[best].astype(np.float64) - taught
    if ahead.mean() <= _CLEARLY * ahead.std() / np.sqrt(len(ahead)):
        return f"{text}."
    return (
        f"{text}: consider a classifier like the helper {best}, which agrees with {others[best].mean():.0%}."
    )


def _agrees(labels: Labels, model: Floats) -> Bools:
    """Whether the likeliest class of a label's example is the label."""
    return np.asarray(model.argmax(axis=1)[labels.example] == labels.label)
