"""ActiveLab against cleanlab on 100,000 examples × 1,000 annotators × 10 classes, 300,000 labels.

Both get the same dense matrix in the same process. cleanlab runs once (about 5 minutes in all), on copies
because it changes its arguments; ours is the best of five. Ratios are of CPU seconds.
"""

from __future__ import annotations

import argparse
import warnings

from cleanlab import multiannotator as cleanlab

import activelab as al
from _common import Row, Timing, make_crowd, print_machine, print_results, print_table, timed
from activelab import multiannotator as ours

REPEAT = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples (default 1)")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.05")
    options = parser.parse_args()
    n_examples = int(100_000 * (0.05 if options.quick else options.scale))
    print_machine("cleanlab", "pandas")

    crowd = make_crowd(n_examples, 1_000)
    matrix, pred_probs, labels = crowd.wide(), crowd.pred_probs, crowd.labels()
    print(f"{matrix.shape[0]:,} × {matrix.shape[1]:,}, {labels.n_labels:,} labels", flush=True)

    scores = timed(lambda: ours.get_active_learning_scores(matrix, pred_probs), REPEAT)
    quality = timed(lambda: ours.get_label_quality_multiannotator(matrix, pred_probs, verbose=False), REPEAT)
    native = timed(lambda: al.ActiveLab().score(labels, pred_probs), REPEAT)
    suggest = timed(lambda: al.suggest(labels, pred_probs), REPEAT)
    many = make_crowd(n_examples, 10_000)
    labels_of_many, probs_of_many = many.labels(), many.pred_probs
    native_many = timed(lambda: al.ActiveLab().score(labels_of_many, probs_of_many), REPEAT)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copies = matrix.copy(), pred_probs.copy()
        their_scores = timed(lambda: cleanlab.get_active_learning_scores(*copies))
        copies = matrix.copy(), pred_probs.copy()
        their_quality = timed(lambda: cleanlab.get_label_quality_multiannotator(*copies, verbose=False))

    times: dict[str, Timing] = {
        "cleanlab get_active_learning_scores": their_scores,
        "cleanlab get_label_quality_multiannotator": their_quality,
        "activelab.multiannotator get_active_learning_scores": scores,
        "activelab.multiannotator get_label_quality_multiannotator": quality,
        "al.ActiveLab().score, sparse": native,
        "al.suggest, sparse": suggest,
        "al.ActiveLab().score, sparse, 10,000 annotators": native_many,
    }
    print_table(
        ["call", "CPU s", "wall s"],
        [[name, f"{one.cpu:.4g}", f"{one.wall:.4g}"] for name, one in times.items()],
    )
    print_results(
        [
            Row("get_active_learning_scores against cleanlab's", their_scores.cpu / scores.cpu, 150),
            Row("get_label_quality_multiannotator against cleanlab's", their_quality.cpu / quality.cpu, 150),
            Row("al.ActiveLab().score against cleanlab's scores", their_scores.cpu / native.cpu, 1000),
            Row("al.suggest against cleanlab's scores", their_scores.cpu / suggest.cpu, 1000),
            Row("10,000 annotators against 1,000", native_many.cpu / native.cpu, 1.5, at_least=False),
        ]
    )


if __name__ == "__main__":
    main()
