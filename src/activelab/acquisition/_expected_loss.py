"""Expected loss: asks for the ratings whose consensus is expected to be furthest off."""

from __future__ import annotations

from activelab._typing import Float64s, Floats, Index, Ints
from activelab.acquisition._frugal import Frugal
from activelab.consensus import BayesianEstimate
from activelab.consensus.parts import Loss, decide, loss_table, scale_positions
from activelab.labels import Labels


class ExpectedLoss(Frugal):
    """For ratings on a scale: where the consensus is expected to cost most, there first.

    The score of an example is the negative expected loss of its label under `ordinal_consensus`: an example
    torn between the ends of the scale is asked before one torn between two neighbours, of which `Frugal`
    would ask either.

    Parameters
    ----------
    loss : {"absolute", "quadratic", "zero_one"}
        As for `ordinal_consensus`.

    Raises
    ------
    InputError
        If there is no such loss.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[1, 5], [3, 4], [2, 2], [4, 4], [5, 5]], classes=[1, 2, 3, 4, 5])
    >>> sure = [[0.8, 0.2, 0, 0, 0], [0, 0.2, 0.6, 0.2, 0]]
    >>> pred_probs = [[0.5, 0, 0, 0, 0.5], [0, 0, 0.5, 0.5, 0], *sure, [0, 0, 0, 0.2, 0.8]]
    >>> al.suggest(labels, pred_probs, batch_size=1, method="expected_loss").examples.tolist()
    [0]
    """

    sure = 0.0

    def __init__(self, loss: Loss = "absolute") -> None:
        loss_table(loss, scale_positions(Labels([], [], [], examples=0, annotators=0, classes=0)))
        self.loss = loss

    def where(self, labels: Labels) -> Float64s:
        return scale_positions(labels)

    def decide(
        self, estimate: BayesianEstimate, posterior: Floats, index: Index, labels: Labels, seed: int
    ) -> tuple[Ints, Float64s]:
        label, expected = decide(
            posterior, loss_table(self.loss, scale_positions(labels)), index, labels, seed
        )
        return label, -expected
