"""Frugal: asks where the Bayesian consensus is least sure; the acquisition of the recommended strategy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from activelab._kernels import at_columns, blocks, most_probable, row_max
from activelab._typing import Float64s, Floats, Index, Ints, Models
from activelab.acquisition._assessment import Assessment
from activelab.acquisition._base import Acquisition
from activelab.acquisition._lowest import TOPS, Lowest, top_of
from activelab.consensus import BayesianEstimate, bayesian_estimate
from activelab.consensus.parts import label_sums, overlap_notes
from activelab.labels import Labels
from activelab.pred_probs import highest_from_below


class Frugal(Acquisition):
    """Fewer labels for the same accuracy: the acquisition of the recommended strategy.

    The score of an example is the probability of its most probable class under `bayesian_consensus`: by the
    calibrated models alone where it has no label, by models and annotators where it has some. Labelled and
    unlabelled examples are so on one scale, as in ActiveLab.

    Where some could not tell (``abstentions``), what is missing to certainty counts as far as the next to be
    asked is likely to be able to, and as a label of so hard an example counts: an example that nobody could
    answer waits for those that can be answered.

    With the strategy "frugal" a classifier is trained on what the annotators say, each label weighted by its
    probability under the same consensus, and twice a round; with "recommended" helpers teach it (`Strategy`).

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0], [1, 0], [1, 1], [1, 1], [None, None]])
    >>> pred_probs = [[0.8, 0.2], [0.5, 0.5], [0.1, 0.9], [0.6, 0.4], [0.52, 0.48]]
    >>> al.suggest(labels, pred_probs, batch_size=2, method="frugal").examples.tolist()
    [4, 1]
    """

    sure = 1.0  # the score of an example of which nothing more can be learnt

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        return self.assess_models(labels, models, seed=seed).scores

    def assess_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Assessment:
        """Scores with the Bayesian consensus, temperatures and abilities they rest on."""
        return self._assess(labels, models, seed, None)

    def assess_lowest(self, labels: Labels, models: Models, size: int, *, seed: int = 0) -> Assessment:
        if type(self) is not Frugal:
            return super().assess_lowest(labels, models, size, seed=seed)
        return self._assess(labels, models, seed, Lowest(size))

    def _assess(self, labels: Labels, models: Models, seed: int, lowest: Lowest | None) -> Assessment:
        estimate = self.estimate(labels, models)
        assessment = self.assess_by(estimate, labels, models, seed=seed, lowest=lowest)
        return replace(assessment, notes=overlap_notes(labels, label_sums(labels)))

    def assess_by(
        self,
        estimate: BayesianEstimate,
        labels: Labels,
        models: Models,
        *,
        seed: int = 0,
        lowest: Lowest | None = None,
    ) -> Assessment:
        """`assess_models` by an estimate there is, which may rest on more of a pool than ``labels``.

        If only the ``lowest`` scores are asked for, those of others may be infinite.
        """
        size = labels.n_examples
        scores, quality = np.full(size, np.inf), np.full(size, np.nan)
        label, predicted = np.full(size, -1, dtype=np.int32), np.full(size, -1, dtype=np.int32)
        bounds = None
        if lowest is not None and estimate.by_model_alone:
            bounds = estimate.least_certain(highest_from_below(TOPS), labels.n_classes)
        for whole in blocks(labels):
            block = whole
            if lowest is not None and bounds is not None and whole.few_labelled:
                top = row_max(whole.rows_of(models[0]))
                block = whole.reduced((whole.counts > 0) | (top < top_of(bounds, lowest.worst)))
            here = block.index
            predicted[here], posterior = estimate.predicted_and_posterior(block, models)
            label[here], scores[here] = self.decide(estimate, posterior, here, labels, seed)
            if estimate.abstaining is not None:
                missing = self.sure - scores[here]
                scores[here] = self.sure - missing * estimate.abstaining.mended(here, posterior)
            quality[here] = at_columns(posterior, label[here])
            if lowest is not None:
                lowest.take(scores[here])
        unlabelled = ~labels.labelled
        label[unlabelled] = -1
        return Assessment(
            scores=scores,
            consensus_label=label,
            quality=np.where(unlabelled, np.nan, quality),
            predicted_label=predicted,
            temperature=1 / np.array(estimate.betas),
            model_weight=np.ones(len(models)),
            annotator_weight=estimate.ability.mean,
            annotator_accuracy=estimate.ability.overall if labels.n_labels else float("nan"),
            notes=(),
            ability=estimate.ability,
            lapse=np.array(estimate.prior.lapses),
        )

    def estimate(self, labels: Labels, models: Models) -> BayesianEstimate:
        """What the posterior rests on."""
        return bayesian_estimate(labels, models, where=self.where(labels))

    def where(self, labels: Labels) -> Float64s | None:
        """Positions of the classes, if they are points of a scale."""
        return None

    def decide(
        self, estimate: BayesianEstimate, posterior: Floats, index: Index, labels: Labels, seed: int
    ) -> tuple[Ints, Float64s]:
        """Consensus label and score of each row of posteriors, a part of the pool."""
        label = most_probable(posterior, index, labels, seed)
        return label, at_columns(posterior, label).astype(np.float64)
