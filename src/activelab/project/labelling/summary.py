"""What a round says of itself, as it is stored beside it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Stored(BaseModel):
    """Rounds of older versions lack fields, those of newer ones have more; both can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class RoundMetrics(_Stored):
    """What a round measured; None is what could not be estimated."""

    num_labels: int | None = None
    """Labels it knew."""
    num_labelled: int | None = None
    """Examples with a label."""
    num_examples: int | None = None
    """Examples of the pool."""
    relabel_share: float | None = None
    """Share of examples of the batch that have a label already."""
    cv_accuracy: float | None = None
    """Share of the labelled examples whose out-of-sample prediction is the majority of their labels."""
    expected_accuracy: float | None = None
    """Mean quality of the consensus labels."""
    expected_errors: float | None = None
    """Examples whose label is expected to be wrong."""
    errors_removed: float | None = None
    """How many of them the next batch is expected to remove."""
    seconds: float | None = None
    """Time the round took."""


class RoundSummary(_Stored):
    """A round in short: running ones say by whom, failed ones why, the others what came of them."""

    method: str | None = None
    """Acquisition method."""
    models: list[str] = []
    """Names of the models."""
    temperature: list[float | None] = []
    """Of each model."""
    model_weight: list[float | None] = []
    """Of each model, w_M."""
    annotator_accuracy: float | None = None
    """P of CROWDLAB."""
    annotator_weight: dict[str, float | None] = {}
    """By name, w_j."""
    metrics: RoundMetrics | None = None
    """None if no model was trained."""
    notes: list[str] = []
    """What could not be estimated, and why."""
    shares: dict[str, int] | None = None
    """By name, how many examples of the round fall to somebody; None if whoever asks is served."""
    newcomer: int | None = None
    """How many fall to somebody who is not among the shares."""
    reason: str | None = None
    """Why no model was trained."""
    process: str | None = None
    """What trains it."""
    error: str | None = None
    """Why it failed."""

    @property
    def trained(self) -> bool:
        """Whether a model was trained, or probabilities came from elsewhere."""
        return self.metrics is not None

    def stored(self) -> str:
        """As JSON, with what this round says and nothing else."""
        return self.model_dump_json(exclude_unset=True)
