"""What a round says of itself, as it is stored beside it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Stored(BaseModel):
    """Rounds of older versions lack fields, those of newer ones have more; both can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RoundMetrics(_Stored):
    """What a round measured; None is what could not be estimated."""

    num_labels: int | None = Field(default=None, description="Labels it knew.")
    num_labelled: int | None = Field(default=None, description="Examples with a label.")
    num_examples: int | None = Field(default=None, description="Examples of the pool.")
    relabel_share: float | None = Field(
        default=None, description="Share of examples of the batch that have a label already."
    )
    cv_accuracy: float | None = Field(
        default=None,
        description="Share of labelled examples whose out-of-sample prediction is their majority vote; of "
        "several classes, share of the decisions, one an example and class.",
    )
    expected_accuracy: float | None = Field(default=None, description="Mean quality of the consensus labels.")
    expected_low: float | None = Field(default=None, description="As little as that is to be expected.")
    expected_high: float | None = Field(default=None, description="As much as that is to be expected.")
    expected_exact: float | None = Field(
        default=None,
        description="Share of examples whose label is expected to be right in every class, of several.",
    )
    cv_error: float | None = Field(
        default=None,
        description="Mean distance of out-of-sample predictions from the mean rating, of a scale.",
    )
    expected_error: float | None = Field(
        default=None, description="Mean distance of the labels from the truth, as expected, of a scale."
    )
    error_low: float | None = Field(default=None, description="As little as that is to be expected.")
    error_high: float | None = Field(default=None, description="As much as that is to be expected.")
    expected_errors: float | None = Field(
        default=None, description="Examples whose label is expected to be wrong."
    )
    errors_removed: float | None = Field(
        default=None, description="How many of them the next batch is expected to remove."
    )
    next_labels: int | None = Field(default=None, description="Labels of that batch.")
    settled: int | None = Field(
        default=None, description="Examples on which another label would change nothing, if they are skipped."
    )
    ambiguous: int | None = Field(
        default=None, description="Examples that more labels will not settle, if they are skipped."
    )
    seconds: float | None = Field(default=None, description="Time the round took.")


class AnnotatorAccuracy(_Stored):
    """How right an annotator is, as far as a round can tell; None is what it cannot."""

    accuracy: float | None = Field(default=None, description="Expected accuracy.")
    low: float | None = Field(default=None, description="Of its 95 % interval.")
    high: float | None = Field(default=None, description="Of its 95 % interval.")
    comparisons: float | None = Field(
        default=None, description="Comparisons with known answers that would tell as much."
    )
    voice: float | None = Field(
        default=None, description="Voices a label counts for; less than 1 where others say the same."
    )
    sensitivity: float | None = Field(
        default=None, description="How often they name a class that is right, of several."
    )
    specificity: float | None = Field(
        default=None,
        description="How often they leave out a class that is wrong, of several.",
    )
    too_few: bool = Field(default=True, description="Whether that is too few to tell.")
    shift: float | None = Field(
        default=None,
        description="By how much their ratings lie above the truth, or below if negative, of a scale.",
    )
    spread: float | None = Field(
        default=None, description="Standard deviation of their ratings around truth and shift, of a scale."
    )


class RoundSummary(_Stored):
    """A round in short: running ones say by whom, failed ones why, the others what came of them."""

    method: str | None = Field(default=None, description="Acquisition method.")
    models: list[str] = Field(default_factory=list, description="Names of the models.")
    temperature: list[float | None] = Field(default_factory=list, description="Of each model.")
    model_weight: list[float | None] = Field(default_factory=list, description="Of each model, w_M.")
    annotator_accuracy: float | None = Field(default=None, description="P of CROWDLAB.")
    annotator_weight: dict[str, float | None] = Field(default_factory=dict, description="By name, w_j.")
    annotators: dict[str, AnnotatorAccuracy] = Field(default_factory=dict, description="By name.")
    metrics: RoundMetrics | None = Field(default=None, description="None if no model was trained.")
    notes: list[str] = Field(default_factory=list, description="What could not be estimated, and why.")
    truth_changes: int | None = Field(
        default=None, description="Decisions and known answers that had come, changed or gone before."
    )
    shares: dict[str, int] | None = Field(
        default=None,
        description="By name, how many examples fall to whom; None if whoever asks is served.",
    )
    newcomer: int | None = Field(
        default=None, description="How many fall to somebody who is not among the shares."
    )
    reason: str | None = Field(default=None, description="Why no model was trained.")
    process: str | None = Field(default=None, description="What trains it.")
    error: str | None = Field(default=None, description="Why it failed.")

    @property
    def trained(self) -> bool:
        """Whether a model was trained, or probabilities came from elsewhere."""
        return self.metrics is not None

    def stored(self) -> str:
        """As JSON, with what this round says and nothing else."""
        return self.model_dump_json(exclude_unset=True)
