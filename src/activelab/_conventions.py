"""Where the paper and the released reference implementation differ, as parameters (mathematics.md §15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Conventions:
    """Choices on which the paper and the reference implementation (cleanlab) part.

    Attributes
    ----------
    tie_class : {"most_frequent", "least_frequent"}
        Class that wins a tied majority vote the model does not settle, by its number of labels.
    tie_annotators : {"agreement", "untied"}
        Reliability that settles the next tie: agreement with other annotators, or with the majority
        on the examples whose vote is not tied.
    baseline : {"annotations", "consensus"}
        The most likely class, Y_MLC: most labelled of all annotations (paper), or mode of the
        consensus labels of multiply-labelled examples.
    temperature : {"optimum", "grid"}
        How the temperature is found.
    unlabelled : {"mean", "vote"}
        Class predicted for an unlabelled example: of the weighted mean of the models (paper), or by
        majority vote of the models.
    """

    tie_class: Literal["most_frequent", "least_frequent"] = "most_frequent"
    tie_annotators: Literal["agreement", "untied"] = "agreement"
    baseline: Literal["annotations", "consensus"] = "annotations"
    temperature: Literal["optimum", "grid"] = "optimum"
    unlabelled: Literal["mean", "vote"] = "mean"


PAPER = Conventions()
REFERENCE = Conventions(
    tie_class="least_frequent",
    tie_annotators="untied",
    baseline="consensus",
    temperature="grid",
    unlabelled="vote",
)
