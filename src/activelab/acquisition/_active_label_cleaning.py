"""Active label cleaning (Bernhardt et al. 2022) [A appendix A, eq. 8]."""

from __future__ import annotations

import numpy as np

from activelab._kernels import blocks, log_probs
from activelab._typing import Float64s, Models
from activelab.acquisition._base import Acquisition, mean_probs
from activelab.acquisition._uncertainty import negative_entropy
from activelab.labels import Labels


class ActiveLabelCleaning(Acquisition):
    """Re-label the examples whose labels the model finds surprising, unless it is unsure itself.

    The score is Σ_k e log p − Σ_k p log p, with e the share of the labels each class has: the negative
    of the cross-entropy less the entropy, which is highest where a label is likely wrong. (Eq. 8 of the
    paper prints the other sign.) Unlabelled examples are not considered: their score is +inf.
    """

    relabels_only = True
    by_example = True

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        scores = np.full(labels.n_examples, np.inf)
        for block in blocks(labels, at_least=1):
            p = mean_probs(models, block)
            share = block.votes() / block.counts[:, None]
            cross = np.einsum("ij,ij->i", share, log_probs(p))
            scores[block.index] = cross - negative_entropy(p)
        return scores
