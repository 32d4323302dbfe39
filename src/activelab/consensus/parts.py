"""What a consensus is made of, for those who compute it in parts or give it another shape.

`activelab.acquisition` scores by it, `activelab.scale` sums over partitions, `activelab.multiannotator`
returns the tables of another library; everybody else calls the methods themselves.
"""

from activelab.consensus._abstentions import Abstaining, check_abstentions
from activelab.consensus._accuracy import (
    COMPARED_SUMS,
    Compared,
    ComparedSums,
    accuracies_by,
    compared,
)
from activelab.consensus._annotators import AnnotatorSums, annotator_sums, annotator_table, table_of
from activelab.consensus._bayesian import (
    SAMPLE,
    STEPS,
    Gathered,
    calibrated,
    consensus_by,
    estimate_of_sample,
    gathered,
    sample_shares,
    told,
)
from activelab.consensus._bulk import alone_seen, check_bulk
from activelab.consensus._chance import ChanceSums, chance_notes, chance_share, chance_sums
from activelab.consensus._channels import Channels
from activelab.consensus._committee import CommitteePool, committee_pool, committee_targets, pooled
from activelab.consensus._confidence import check_confidence
from activelab.consensus._consensus import agreement_with_label, lone_annotators_note, overlap_notes
from activelab.consensus._crowdlab import (
    Betas,
    Trust,
    best_supported,
    crowdlab_consensus,
    crowdlab_estimate,
    crowdlab_posterior,
    estimate_trust,
    likelihood,
    mixture,
)
from activelab.consensus._dependence import Question, Voices, family_codes, find_voices
from activelab.consensus._loss import LOSSES, Loss, decide, loss_table
from activelab.consensus._majority_vote import vote_labels, vote_with_sums
from activelab.consensus._model_prior import ModelPrior
from activelab.consensus._ordinal import (
    loss_range,
    on_scale,
    ordinal_consensus_by,
    scale_positions,
    with_scale,
)
from activelab.consensus._pairs import Pairs
from activelab.consensus._pooled import first_confusion, pooled_effects
from activelab.consensus._shares import believed_shares, reliability, said_shares
from activelab.consensus._statistics import (
    ConsensusSums,
    LabelSums,
    add_consensus_sums,
    add_label_sums,
    label_sums,
    predicted_classes,
    predicted_together,
)

__all__ = [
    "COMPARED_SUMS",
    "LOSSES",
    "SAMPLE",
    "STEPS",
    "Abstaining",
    "AnnotatorSums",
    "Betas",
    "ChanceSums",
    "Channels",
    "CommitteePool",
    "Compared",
    "ComparedSums",
    "ConsensusSums",
    "Gathered",
    "LabelSums",
    "Loss",
    "ModelPrior",
    "Pairs",
    "Question",
    "Trust",
    "Voices",
    "accuracies_by",
    "add_consensus_sums",
    "add_label_sums",
    "agreement_with_label",
    "alone_seen",
    "annotator_sums",
    "annotator_table",
    "believed_shares",
    "best_supported",
    "calibrated",
    "chance_notes",
    "chance_share",
    "chance_sums",
    "check_abstentions",
    "check_bulk",
    "check_confidence",
    "committee_pool",
    "committee_targets",
    "compared",
    "consensus_by",
    "crowdlab_consensus",
    "crowdlab_estimate",
    "crowdlab_posterior",
    "decide",
    "estimate_of_sample",
    "estimate_trust",
    "family_codes",
    "find_voices",
    "first_confusion",
    "gathered",
    "label_sums",
    "likelihood",
    "lone_annotators_note",
    "loss_range",
    "loss_table",
    "mixture",
    "on_scale",
    "ordinal_consensus_by",
    "overlap_notes",
    "pooled",
    "pooled_effects",
    "predicted_classes",
    "predicted_together",
    "reliability",
    "said_shares",
    "sample_shares",
    "scale_positions",
    "table_of",
    "told",
    "vote_labels",
    "vote_with_sums",
    "with_scale",
]
