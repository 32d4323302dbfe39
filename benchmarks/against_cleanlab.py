"""ActiveLab against cleanlab on three sizes, the largest 100,000 examples × 1,000 annotators, 10 classes.

Examples have one to five labels. Both get the same dense matrix in the same process, cleanlab copies because
it changes its arguments. Ours is the best of five calls; cleanlab's the best of three, on the largest that
of one (about 5 minutes in all). Ratios are of CPU seconds.
"""

from __future__ import annotations

import argparse
import warnings

from cleanlab import multiannotator as cleanlab

import activelab as al
from _common import Crowd, Row, Timing, make_crowd, print_machine, print_results, print_table, timed
from activelab import multiannotator as ours

REPEAT = 5
CALLS = ("get_active_learning_scores", "get_label_quality_multiannotator")
SIZES = ((300, 50), (10_000, 100), (100_000, 1_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples of the largest")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.05")
    options = parser.parse_args()
    scale = 0.05 if options.quick else options.scale
    print_machine("cleanlab", "pandas")

    ratios, rows = [], []
    for size, n_annotators in SIZES:
        largest = size == SIZES[-1][0]
        crowd = make_crowd(int(size * scale) if largest else size, n_annotators)
        what = f"{len(crowd.pred_probs):,} × {n_annotators:,}"
        mine, theirs = _both(crowd, repeat=1 if largest else 3)
        print_table(
            [f"{what}, {len(crowd.label):,} labels", "CPU s", "wall s"],
            [
                [f"{whose} {call}", f"{times[call].cpu:.4g}", f"{times[call].wall:.4g}"]
                for whose, times in (("cleanlab", theirs), ("activelab.multiannotator", mine))
                for call in times
            ],
        )
        ratio = {call: theirs[call].cpu / mine[call].cpu for call in mine}
        ratios.append([what, *(f"{one:.0f} ×" for one in ratio.values())])
        if largest:
            rows = [Row(f"{call} against cleanlab's", one, 150) for call, one in ratio.items()]
            rows += _native(crowd, theirs["get_active_learning_scores"])
    print_table(["times as fast, of CPU seconds", *CALLS], ratios)
    print_results(rows)


def _both(crowd: Crowd, repeat: int) -> tuple[dict[str, Timing], dict[str, Timing]]:
    """Times of both functions, ours and cleanlab's."""
    matrix, pred_probs = crowd.wide(), crowd.pred_probs
    mine = {
        "get_active_learning_scores": timed(
            lambda: ours.get_active_learning_scores(matrix, pred_probs), REPEAT
        ),
        "get_label_quality_multiannotator": timed(
            lambda: ours.get_label_quality_multiannotator(matrix, pred_probs, verbose=False), REPEAT
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copies = matrix.copy(), pred_probs.copy()
        theirs = {
            "get_active_learning_scores": timed(lambda: cleanlab.get_active_learning_scores(*copies), repeat),
            "get_label_quality_multiannotator": timed(
                lambda: cleanlab.get_label_quality_multiannotator(*copies, verbose=False), repeat
            ),
        }
    return mine, theirs


def _native(crowd: Crowd, theirs: Timing) -> list[Row]:
    """The native functions, which start from sparse labels, against cleanlab's scores."""
    labels, pred_probs = crowd.labels(), crowd.pred_probs
    many = make_crowd(len(pred_probs), 10_000)
    labels_of_many, probs_of_many = many.labels(), many.pred_probs
    times = {
        "al.ActiveLab().score": timed(lambda: al.ActiveLab().score(labels, pred_probs), REPEAT),
        "al.suggest": timed(lambda: al.suggest(labels, pred_probs), REPEAT),
        "al.ActiveLab().score, 10,000 annotators": timed(
            lambda: al.ActiveLab().score(labels_of_many, probs_of_many), REPEAT
        ),
    }
    print_table(
        ["sparse", "CPU s", "wall s"],
        [[name, f"{one.cpu:.4g}", f"{one.wall:.4g}"] for name, one in times.items()],
    )
    score, suggest, score_of_many = times.values()
    return [
        Row("al.ActiveLab().score against cleanlab's scores", theirs.cpu / score.cpu, 1000),
        Row("al.suggest against cleanlab's scores", theirs.cpu / suggest.cpu, 1000),
        Row("10,000 annotators against 1,000", score_of_many.cpu / score.cpu, 1.5, at_least=False),
    ]


if __name__ == "__main__":
    main()
