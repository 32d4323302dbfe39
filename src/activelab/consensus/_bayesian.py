"""Bayesian consensus: the models are the prior, each annotator a noisy channel (Raykar et al. 2010)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._kernels import (
    Block,
    Certainty,
    blocks,
    least_certain,
    most_probable,
    row_argmax,
    share_of,
    summable,
)
from activelab._typing import Bools, Float64s, Floats, Ints, Models
from activelab.consensus._abstentions import Abstaining, AbstentionSums, check_abstentions
from activelab.consensus._accuracy import accuracies
from activelab.consensus._bulk import DEFAULT, alone_seen, bulk_weight, check_bulk, find_bulk_share
from activelab.consensus._chance import chance_notes, chance_share
from activelab.consensus._channels import Ability, Channels, ChannelSums, ability_of
from activelab.consensus._confidence import check_confidence, share_of_voice
from activelab.consensus._consensus import Consensus
from activelab.consensus._dependence import (
    Question,
    Voices,
    dependence_share,
    family_codes,
    find_voices,
)
from activelab.consensus._held_out import HeldOut, discounted
from activelab.consensus._model_prior import ModelPrior, calibration_share
from activelab.consensus._shares import believed_shares, meant_shares, reliability, said_shares
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels, Totals
from activelab.pred_probs import Checked, carried, joined, remembered

STEPS = 6
SAMPLE = 50_000  # labelled examples the first steps rest on, about; the last step takes all
_HELD_OUT = 10_000  # examples whose labels are held out, about
_LEAST_AGREED = 1e-3
_EARNED = 10.0  # nats of held-out labels a free class share must be worth


def bayesian_consensus(
    labels: Labels,
    pred_probs: Any = None,
    *,
    known: Any = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | None = None,
    confidence: Any = None,
    bulk: Any = None,
    seed: int = 0,
) -> Consensus:
    """Consensus by Bayes' rule, with the models as prior and annotators who err in their own ways.

    The posterior of an example is proportional to its calibrated model probabilities times, for each
    label, the probability that its annotator says so of a class. Accuracies, confusion matrices and the
    models' temperatures follow from the posteriors, and these from them, in a few steps of
    expectation-maximisation (Dawid & Skene 1979; Raykar et al. 2010). An annotator's confusion matrix is
    shrunk towards the one that all share, scaled to the annotator's accuracy, and the accuracy towards
    the mean accuracy.

    The posterior is calibrated on held-out labels: where labels that it has not seen agree with it less than
    annotators who err independently would, evidence counts for less, the more so the more of it there is.
    Annotators who agree beyond what the consensus explains share a voice; `Consensus.notes` names them.
    Mistakes that everybody makes leave no trace in the labels: what is expected of them is what real crowds
    show, until ``known`` answers say more.

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like or dataframe, optional
        Out-of-sample probabilities, shape ``(n_examples, n_classes)``, or ``(n_models, n_examples,
        n_classes)`` for an ensemble, whose calibrated mean is the prior. Calibrated here. Examples that only
        a dataframe names join the pool without labels. Without models classes are equally likely beforehand,
        unless held-out labels say that some are rare.
    known : array-like of int, shape (n_examples,), optional
        Code of the right class where somebody with the authority to say so has (decisions, gold answers), -1
        elsewhere. It is the consensus there, and teaches how annotators err.
    families : dict, optional
        Family of annotators who are known to err together, such as the models of one maker; those of no
        family are left out. By default families are looked for.
    bulk : array-like of bool, shape (n_labels,), optional
        Which labels, in the order of ``labels``, were given to many examples at once, beside what a model
        says of them. They count for a share of a voice, which known answers and single labels of others of
        the same examples tell, and `Consensus.notes` states. Nothing is learnt from them of how annotators
        err, nor of how right the models are.
    seed : int
        Seed that breaks exact ties.

    Returns
    -------
    Consensus
        An annotator's ``weight`` is the expected accuracy, ``voice`` what each label counts for. Examples
        without labels have the calibrated models as posterior. ``model_weight`` is empty: models are a
        prior, not voters.

    Raises
    ------
    InputError
        If ``pred_probs``, ``known``, ``families`` or ``bulk`` does not match ``labels``.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0, 1], [1, 1, None], [0, None, 1], [1, 1, 1]])
    >>> pred_probs = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> al.bayesian_consensus(labels, pred_probs).label.tolist()
    [0, 1, 1, 1]
    """
    models: Models = ()
    if pred_probs is not None:
        labels, models = joined(labels, pred_probs)
    models = told(
        labels,
        models,
        known=known,
        families=families,
        abstentions=abstentions,
        confidence=confidence,
        bulk=bulk,
    )
    return consensus_by(bayesian_estimate(labels, models), labels, models, seed=seed)


def told(
    labels: Labels,
    models: Models,
    *,
    known: Any,
    families: dict[Any, str] | None,
    abstentions: Labels | None = None,
    confidence: Any = None,
    bulk: Any = None,
) -> Models:
    """The models with what is known besides them, which every estimate from them then takes.

    Abstentions, confidence and bulk that checked predictions carry stay with them.

    Raises
    ------
    InputError
        If ``known``, ``families``, ``abstentions``, ``confidence`` or ``bulk`` does not match ``labels``.
    """
    codes, kin = check_known(known, labels), family_codes(families, labels)
    apart, sure = check_abstentions(abstentions, labels), check_confidence(confidence, labels)
    many = check_bulk(bulk, labels)
    if codes is None and kin is None and apart is None and sure is None and many is None:
        return models
    before = carried(models, labels)
    apart = before.abstentions if apart is None else apart
    sure = before.confidence if sure is None else sure
    many = before.bulk if many is None else many
    return Checked(models, labels, codes, kin, apart, sure, many)


def consensus_by(
    estimate: BayesianEstimate,
    labels: Labels,
    models: Models,
    *,
    seed: int = 0,
    untold: bool = False,
    decision: Callable[[Float64s, slice], Ints] | None = None,
) -> Consensus:
    """`bayesian_consensus` by an estimate there is.

    ``decision`` is the consensus label of each row of posteriors and part of the pool, by default the most
    probable class. With ``untold`` every example is judged by labels and models, as if its own answer were
    not known; how annotators err is learnt from the known answers all the same.
    """
    judge = replace(estimate, known=None) if untold else estimate
    label, posterior = judge.decided(labels, models, seed, decision)
    return Consensus.build(
        labels,
        label,
        posterior,
        label_sums(labels),
        annotator_weight=estimate.ability.mean,
        annotator_voice=estimate.voices.mean_weight(labels),
        annotator_accuracy=accuracies(estimate, labels, models),
        notes=(*estimate.voices.notes(labels.annotators), *chance_notes(labels, models)),
    )


def check_known(known: Any, labels: Labels) -> Ints | None:
    """Known classes as codes, int of shape (n_examples,), -1 where unknown; None if there are none.

    Raises
    ------
    InputError
        If there is not one for each example, or one is no code of a class.
    """
    if known is None:
        return None
    codes = np.asarray(known)
    if codes.shape != (labels.n_examples,) or codes.dtype.kind not in "iu":
        raise InputError(
            f"known must hold one integer for each of the {labels.n_examples:,} examples, got shape "
            f"{codes.shape} and dtype {codes.dtype}."
        )
    wrong = (codes < -1) | (codes >= labels.n_classes)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"known holds {codes[row]} in row {row}; codes lie between 0 and {labels.n_classes - 1}, and "
            "-1 means unknown.",
            row=row,
        )
    return codes.astype(np.int64) if (codes >= 0).any() else None


@dataclass(frozen=True)
class BayesianEstimate:
    """What the posteriors rest on, in memory that does not grow with n_examples.

    Attributes
    ----------
    prior : ModelPrior
        How far the models are to be believed.
    log_shares : ndarray, shape (n_classes,), or None
        Logarithm of the share of each class, where there are no models and held-out labels ask for it, or the
        classes are points of a scale.
    channels : Channels
        How the annotators err, by what the consensus itself takes for right.
    voices : Voices
        For how many voices labels count.
    discount : float
        S: m voices are worth m^(1 − S) independent ones.
    ability : Ability
        What is known of each annotator's accuracy, by the calibrated posterior.
    known : ndarray of int, shape (n_examples,), or None
        The caller's known answers, -1 where unknown.
    discount_range : tuple of float
        What S may as well be, from the least to the most.
    where : ndarray of float64, shape (n_classes,), or None
        Positions of the classes, if they are points of a scale.
    abstaining : Abstaining or None
        How often people cannot tell, where some could not.
    base : ndarray of float64, shape (n_classes,), or 0.0
        Part of the log-support that is never discounted: how frequent the classes are.
    """

    prior: ModelPrior
    log_shares: Float64s | None
    channels: Channels
    voices: Voices
    discount: float
    ability: Ability
    known: Ints | None = None
    discount_range: tuple[float, float] = (0.0, 0.0)
    where: Float64s | None = None
    abstaining: Abstaining | None = None
    base: Float64s | float = 0.0

    @property
    def betas(self) -> tuple[float, ...]:
        """Inverse temperature of each model."""
        return self.prior.betas

    def posterior(self, block: Block, models: Models) -> Floats:
        """Probability of each class given models and labels, shape (size, n_classes)."""
        support, voices = self.support(block, models)
        return self._posterior(block, support, voices, self.discount)

    def predicted_and_posterior(self, block: Block, models: Models) -> tuple[Ints, Floats]:
        """The class the calibrated models find likeliest, and the posterior."""
        log_prior = self.log_prior(block, models)
        predicted = row_argmax(log_prior)
        support, voices = self._support(block, log_prior)
        return predicted, self._posterior(block, support, voices, self.discount)

    @property
    def by_model_alone(self) -> bool:
        """Whether of an example without labels nothing tells but what one model says."""
        nothing_else = self.log_shares is None and self.known is None and self.abstaining is None
        return len(self.betas) == 1 and self.prior.base is None and nothing_else

    @property
    def exponent_alone(self) -> float:
        """What is made of the models' log-probabilities where there are no labels."""
        return float(max(self.prior.voices, 1.0) ** -self.discount)

    def least_certain(self, certainty: Certainty, n_classes: int) -> Certainty:
        """A bound on the highest posterior of examples without labels from below, if `by_model_alone`.

        ``certainty`` are the highest probabilities by the model.
        """
        (beta,), (lapse,) = self.prior.betas, self.prior.lapses
        calibrated = (1 - lapse) * least_certain(certainty, beta, n_classes) + lapse / n_classes
        return least_certain(calibrated, self.exponent_alone, n_classes)

    def confident_and_calibrated(self, block: Block, models: Models) -> tuple[Floats, Floats]:
        """The posterior if annotators erred independently, and as it is."""
        support, voices = self.support(block, models)
        confident = self._posterior(block, support, voices, 0.0)
        if self.discount == 0:
            return confident, confident
        return confident, self._posterior(block, support, voices, self.discount)

    def _posterior(self, block: Block, support: Floats, voices: Float64s, discount: float) -> Floats:
        scale = self._log_scale(block)
        return self._fixed(block, discounted(support, voices, discount, self.base, scale))

    def with_strength(self, strength: float) -> BayesianEstimate:
        """With γ of `Abstaining`."""
        assert self.abstaining is not None
        return replace(self, abstaining=replace(self.abstaining, strength=strength))

    def with_classes_alike(self) -> BayesianEstimate:
        """With all classes equally hard to tell."""
        assert self.abstaining is not None
        return replace(self, abstaining=self.abstaining.alike)

    def learnt(self, found: Gathered) -> BayesianEstimate:
        """The estimate after a step of expectation-maximisation."""
        free = self.log_shares is not None and self.where is None
        return replace(
            self,
            log_shares=found.log_shares if free else self.log_shares,
            channels=found.sums.channels(),
            ability=found.ability,
            abstaining=found.abstaining,
        )

    def _log_scale(self, block: Block) -> Float64s | None:
        """Logarithm of what the evidence of each example counts for, by who could not tell."""
        if self.abstaining is None or not self.abstaining.strength:
            return None
        return self.abstaining.log_scale(block.index)

    def support(self, block: Block, models: Models) -> tuple[Floats, Float64s]:
        """The log-support of each class, and by how many voices."""
        return self._support(block, self.log_prior(block, models))

    def _support(self, block: Block, log_prior: Floats) -> tuple[Floats, Float64s]:
        """`support`, in the precision of the prior and its place."""
        weight = self.voices.weight(block)
        if block.counts.any():
            log_prior += self.channels.evidence(block, weight, log_prior.dtype)
        given = block.counts.astype(np.float64) if weight is None else block.total(weight)
        return log_prior, given + self.prior.voices

    def decided(
        self,
        labels: Labels,
        models: Models,
        seed: int,
        decision: Callable[[Float64s, slice], Ints] | None = None,
    ) -> tuple[Ints, Float64s]:
        """Consensus label of every example, -1 without labels, and its posterior; as `consensus_by`."""
        posterior = np.empty((labels.n_examples, labels.n_classes))
        for block in blocks(labels):
            posterior[block.index] = self.posterior(block, models)
        whole = slice(0, labels.n_examples)
        if decision is None:
            label = most_probable(posterior, whole, labels, seed)
        else:
            label = decision(posterior, whole)
        label[~labels.labelled if self.known is None else ~labels.labelled & (self.known < 0)] = -1
        return label, posterior

    def expected_right(self, labels: Labels, models: Models) -> tuple[float, float]:
        """Bounds on the share of consensus labels that is right, by `discount_range`; NaN without labels.

        The consensus is the same at any discount. Of n labels of quality q a share right is drawn, with
        variance Σ q (1 − q) / n²; known answers are right.
        """
        right, variance, number = np.zeros(2), np.zeros(2), 0
        for block in blocks(labels, at_least=1):
            number += block.size
            for place, posterior in enumerate(self.discounted_posteriors(block, models)):
                quality = posterior.max(axis=1)
                right[place] += float(quality.sum(dtype=np.float64))
                variance[place] += float((quality * (1 - quality)).sum(dtype=np.float64))
        if not number:
            return float("nan"), float("nan")
        low, high = ((right + np.array([-1.96, 1.96]) * np.sqrt(variance)) / number).tolist()
        return max(low, 0.0), min(high, 1.0)

    def discounted_posteriors(self, block: Block, models: Models) -> Iterator[Floats]:
        """The posterior at either end of `discount_range`, that of fewer voices first."""
        support, voices = self.support(block, models)
        for discount in reversed(self.discount_range):
            yield self._posterior(block, support, voices, discount)

    def evidence(self, block: Block) -> Floats:
        """Log-support of each class by the annotators alone, up to a constant of each example."""
        return self.channels.evidence(block, self.voices.weight(block))

    def log_prior(self, block: Block, models: Models) -> Floats:
        """Log-probability of each class before any label, up to a constant of each example.

        That some could not tell is known before any label.
        """
        log_prior = self.prior.log(block, models)
        if self.log_shares is not None:
            log_prior = log_prior + self.log_shares
        if self.abstaining is not None:
            log_prior = log_prior + self.abstaining.log_likelihood(block.index)
        return log_prior

    def _fixed(self, block: Block, posterior: Floats) -> Floats:
        """The posterior with known answers in their places."""
        if self.known is not None:
            truth = self.known[block.index]
            rows = np.flatnonzero(truth >= 0)
            posterior[rows] = 0.0
            posterior[rows, truth[rows]] = 1.0
        return posterior


def bayesian_estimate(
    labels: Labels,
    models: Models,
    *,
    known: Ints | None = None,
    families: Ints | None = None,
    where: Float64s | None = None,
    steps: int = STEPS,
) -> BayesianEstimate:
    """Accuracies, confusion matrices and temperatures by expectation-maximisation, then calibrated.

    ``known`` are checked codes (`check_known`), ``families`` a code for each annotator, -1 for none; by
    default what checked predictions carry. All but the last step rest on about `SAMPLE` labelled examples,
    drawn by their ids. Made once for checked predictions and what they carry.
    """
    if steps < 1:
        raise InputError(f"steps must be at least 1, got {steps}.")
    if known is not None or families is not None:
        before = carried(models, labels)
        beside = before.abstentions, before.confidence, before.bulk
        models = Checked(models, labels, known, families, *beside)
    return remembered(
        models,
        labels,
        ("bayesian", steps, None if where is None else tuple(where.tolist())),
        lambda: _estimated(labels, models, steps, where),
    )


def _estimated(
    labels: Labels,
    models: Models,
    steps: int,
    where: Float64s | None,
) -> BayesianEstimate:
    estimate = estimate_of_sample(labels, models, steps=steps, where=where)
    return estimate.learnt(gathered(labels, models, estimate))


def sample_shares(totals: Totals) -> tuple[float, float]:
    """The shares of the labelled examples, and of those with several labels, in `estimate_of_sample`."""
    of_any = max(share_of(SAMPLE, totals.n_with(1)), calibration_share(totals), chance_share(totals))
    return of_any, max(of_any, dependence_share([totals]))


def estimate_of_sample(
    labels: Labels, models: Models, *, steps: int = STEPS, where: Float64s | None = None
) -> BayesianEstimate:
    """The estimate before its last step, which alone takes all labels.

    Of a pool in parts, ``labels`` are a sample by `sample_shares` with the totals of the whole.
    """
    given = carried(models, labels)
    known, families = given.known, given.families
    abstentions, confidence, bulk = given.abstentions, given.confidence, given.bulk
    share = share_of(SAMPLE, labels.totals.n_with(1))
    channels = Channels.at_first(labels, where)
    on_scale = where is not None and labels.n_classes > 1
    if where is not None and on_scale:
        said = said_shares(labels)
        meant = said if known is None else meant_shares(labels, said, known)
        agreed = max(reliability([labels], [models], where), _LEAST_AGREED)
        shares = believed_shares(meant, agreed, times=1 / agreed)
        prior = ModelPrior.fitted_together([labels], [models], [said], [shares])[0]
        base = np.log(shares)
    else:
        prior, base = ModelPrior.fitted(labels if bulk is None else alone_seen(labels, bulk), models), None
    alone = Voices.independent(labels.n_annotators)
    if bulk is not None:
        alone = replace(alone, bulk=bulk, share=bulk_weight(labels, bulk, DEFAULT))
    start = BayesianEstimate(
        prior=prior,
        log_shares=None if models else base,
        base=0.0 if base is None else base,
        channels=channels,
        voices=alone,
        discount=0.0,
        ability=channels.ability,
        known=known,
        where=where,
        abstaining=None if abstentions is None else Abstaining.fitted(labels, abstentions),
    )
    estimate = _improved(labels, models, start, steps - 1, share)
    if not models and labels.n_classes > 1 and not on_scale:
        # Class shares and one-sided annotators explain the same labels; unneeded shares mislead.
        start_of_shares = replace(start, log_shares=np.zeros(labels.n_classes))
        of_shares = _improved(labels, models, start_of_shares, steps - 1, share)
        with_shares, without = (
            hold_out(labels, models, each, share).likelihood(0) for each in (of_shares, estimate)
        )
        if with_shares - without > _EARNED * (labels.n_classes - 1):
            start, estimate = start_of_shares, of_shares
    question = Question(labels, estimate.channels, lambda block: estimate.posterior(block, models))
    voices = replace(find_voices([question], families), share=alone.share, bulk=alone.bulk)
    if len(voices.dependence):
        # From the start: what copies made look right must not stay so.
        estimate = _improved(labels, models, replace(start, voices=voices), steps - 1, share)
    if bulk is not None:
        found = find_bulk_share(estimate, labels, models, bulk)
        voices = replace(estimate.voices, share=bulk_weight(labels, bulk, found.best), bulk_share=found)
        estimate = replace(estimate, voices=voices)
    if confidence is not None:
        counts_for = share_of_voice(estimate, labels, models, confidence)
        if bulk is not None and estimate.voices.share is not None:
            counts_for = np.where(bulk, estimate.voices.share, counts_for)
        estimate = replace(estimate, voices=replace(estimate.voices, share=counts_for))
    if labels.n_labels:
        # On a scale a family that was found agrees with itself on held-out labels, too.
        declared = families is not None or (on_scale and len(voices.dependence) > 0)
        (estimate,) = calibrated([labels], [models], [estimate], share, declared=declared)
    return estimate


def calibrated(
    questions: Sequence[Labels],
    models: Sequence[Models],
    estimates: Sequence[BayesianEstimate],
    share: float,
    *,
    declared: bool,
) -> list[BayesianEstimate]:
    """The estimates of questions to the same people, with what their held-out labels ask for together.

    That is the discount and the meaning of abstentions.
    """
    estimates = [*estimates]
    held, strength = hold_out_together(questions, models, estimates, share), 0.0
    if all(one.abstaining is not None for one in estimates):
        strength, score = held.strength()
        alike = [one.with_classes_alike() for one in estimates]
        held_alike = hold_out_together(questions, models, alike, share)
        strength_alike, score_alike = held_alike.strength()
        # Rates of the classes must be worth their number of held-out nats (Akaike's criterion).
        if score_alike >= score - sum(labels.n_classes - 1 for labels in questions):
            estimates, held, strength = alike, held_alike, strength_alike
        estimates = [one.with_strength(strength) for one in estimates]
    found = held.exponent(declared=declared, strength=strength)
    between = found.low, found.high
    return [replace(one, discount=found.best, discount_range=between) for one in estimates]


def _improved(
    labels: Labels, models: Models, estimate: BayesianEstimate, steps: int, share: float
) -> BayesianEstimate:
    """The estimate after some steps of expectation-maximisation over a share of the labelled examples."""
    for _ in range(steps):
        estimate = estimate.learnt(gathered(labels, models, estimate, share))
    return estimate


@dataclass
class Gathered:
    """What a step of expectation-maximisation rests on: sums that are exact, in any order.

    Attributes
    ----------
    sums : ChannelSums
    of_class : ndarray of float64, shape (n_classes,)
        Expected examples of each class.
    right, given : ndarray of float64, shape (n_annotators,)
        Labels of each annotator that are right by the calibrated posterior, in expectation, and all of them.
    abstaining : Abstaining or None
        How often people cannot tell, by class.
    """

    sums: ChannelSums
    of_class: Float64s
    right: Float64s
    given: Float64s
    abstaining: Abstaining | None = None

    @property
    def ability(self) -> Ability:
        """What is known of each annotator's accuracy."""
        return ability_of(self.right, self.given, self.sums.n_classes)

    def merge(self, other: Gathered) -> None:
        """Add the sums over another part of the pool, in which nobody abstained."""
        self.sums.merge(other.sums)
        self.of_class += other.of_class
        self.right += other.right
        self.given += other.given

    @property
    def log_shares(self) -> Float64s:
        """Logarithm of the share of each class."""
        return np.asarray(np.log((self.of_class + 1) / (self.of_class.sum() + len(self.of_class))))


def gathered(labels: Labels, models: Models, estimate: BayesianEstimate, share: float = 1.0) -> Gathered:
    """Sums over a share of the labelled examples."""
    sums, of_class = ChannelSums(labels, estimate.where), np.zeros(labels.n_classes)
    right, given = np.zeros(labels.n_annotators), np.zeros(labels.n_annotators)
    abstained = None if estimate.abstaining is None else AbstentionSums(estimate.abstaining)
    for whole in blocks(labels, at_least=1, share=share):
        block = _telling(whole, models, estimate.known)
        if not block.size:
            continue
        # The consensus takes for right what independent annotators would make of the labels.
        confident, calibrated = map(summable, estimate.confident_and_calibrated(block, models))
        taught = estimate.voices.taught(block)
        sums.add(block, confident, taught)
        of_class += confident.sum(axis=0, dtype=np.float64)
        if abstained is not None:
            abstained.add(block.index, confident)
        agrees = block.at_labels(calibrated)
        right += np.bincount(
            block.annotator, agrees if taught is None else agrees * taught, labels.n_annotators
        )
        given += np.bincount(block.annotator, taught, labels.n_annotators)
    abstaining = None if abstained is None else abstained.abstaining_by_class()
    return Gathered(sums, of_class, right, given, abstaining)


def _telling(block: Block, models: Models, known: Ints | None) -> Block:
    """The examples of a block that say something of their annotators: without models, not single labels."""
    if models:
        return block
    tells: Bools = block.counts > 1
    if known is not None:
        tells |= known[block.index] >= 0
    return block if tells.all() else block.select(tells)


def hold_out(labels: Labels, models: Models, estimate: BayesianEstimate, share: float) -> HeldOut:
    """Labels held out of some of the examples, of the share of them that the estimate rests on."""
    held = HeldOut(estimate.channels, estimate.voices)
    # Only an example the channels have seen can be taken out of them.
    for block in blocks(labels, at_least=1, share=min(share, share_of(_HELD_OUT, labels.totals.n_with(1)))):
        truth = np.full(block.size, -1) if estimate.known is None else estimate.known[block.index]
        confident, _ = estimate.confident_and_calibrated(block, models)
        held.add(
            block,
            estimate.log_prior(block, models),
            confident,
            truth,
            estimate.prior.voices,
            estimate.base,
            None if estimate.abstaining is None else estimate.abstaining.log_hardness(block.index),
        )
    return held


def hold_out_together(
    questions: Sequence[Labels], models: Sequence[Models], estimates: Sequence[BayesianEstimate], share: float
) -> HeldOut:
    """`hold_out` of questions to the same people."""
    held = HeldOut(estimates[0].channels, estimates[0].voices)
    for labels, theirs, one in zip(questions, models, estimates, strict=True):
        held.merge(hold_out(labels, theirs, one, share))
    return held
