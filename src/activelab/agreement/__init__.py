"""Inter-annotator agreement: how far annotators agree beyond chance, over the sparse `Labels`.

Own code, because the libraries need a dense table of examples × annotators or N·K² memory
(krippendorff), the same number of labels for every example (statsmodels), or numpy < 2 (irrCAC);
the tests hold it to the first two, to scikit-learn and to values of irrCAC.
"""

from activelab.agreement._coefficients import (
    Agreement,
    agreement_statistics,
    alphas_by_distance,
    fleiss_kappa,
    gwet_ac1,
    gwet_ac2,
    krippendorff_alpha,
)
from activelab.agreement._pairwise import PairwiseKappa, cohen_kappa_matrix

__all__ = [
    "Agreement",
    "PairwiseKappa",
    "agreement_statistics",
    "alphas_by_distance",
    "cohen_kappa_matrix",
    "fleiss_kappa",
    "gwet_ac1",
    "gwet_ac2",
    "krippendorff_alpha",
]
