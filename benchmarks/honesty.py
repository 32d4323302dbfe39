"""What is stated against what is true, on real crowds: posterior, settled examples, machines, audits, cost.

Crowds are read from the folder in ACTIVELAB_DATA, at most 3,000 examples of each, with 1, 2, 3 and all labels
an example drawn at random. The model is a logistic regression on 40 principal components, whose out-of-sample
probabilities `ActiveLearner` makes; labels, truth and probabilities of every pool are kept under --cache, so
that all consensuses see the same. --against imports another version of activelab from a source folder (a
checkout's src) and prints its numbers beside these. Prints markdown; docs/honesty.md holds its output.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WITH_FEATURES = ["labelme", "product", "sentiment_polarity", "bluebirds", "consumer_complaints", "convabuse"]
WITHOUT = ["dog", "face", "adult_content"]
MACHINES = ["framing", "lgbteen", "cebab_stars", "summeval"]
NUMBERS = (1, 2, 3, 0)  # labels an example; 0 is all
MOST_EXAMPLES, COMPONENTS = 3000, 40


def read(folder: Path, name: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray | None]:
    """Labels (item, annotator, label), truth by item (-1 unknown) and features, if there are any."""
    if name in ("dog", "face"):
        crowd = folder / "crowd_only"
        truth = pd.read_csv(crowd / f"{name}_items.csv").truth.to_numpy()
        return pd.read_csv(crowd / f"{name}_labels.csv.gz"), truth, None
    if name in MACHINES:
        return _read_machines(folder / "llm_and_people" / name)
    frame = pd.read_csv(folder / name / "labels.csv.gz")
    if name == "adult_content":
        return frame, pd.read_parquet(folder / name / "items.parquet").truth.to_numpy(), None
    arrays = np.load(folder / name / "features.npz")
    X = arrays["X" if "X" in arrays else "X_resnet"]
    if name == "convabuse":
        split = pd.read_csv(folder / name / "split.csv.gz").query("s0 == 1")[["item", "annotator"]]
        people = pd.read_csv(folder / name / "truth.csv.gz").query("seed == 0")
        return frame.merge(split, on=["item", "annotator"]), _by_item(people, "severity", len(X)), X
    if name == "consumer_complaints":
        return frame, pd.read_parquet(folder / name / "items.parquet").truth.to_numpy(), X
    return frame, arrays["truth"], X


def _read_machines(folder: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """One person and six language models an item; the truth is what the other people say."""
    X = np.load(folder / "features.npz")["X"]
    protocol = pd.read_csv(folder / "protocol.csv.gz").query("seed == 0")
    labels = pd.read_csv(folder / "labels.csv.gz")
    asked = protocol.rename(columns={"asked": "annotator", "asked_label": "label"})
    machines = labels[(labels.kind == "llm") & labels.item.isin(protocol.item)].assign(
        annotator=lambda frame: "llm " + frame.annotator.astype(str)
    )
    columns = ["item", "annotator", "label"]
    asked = asked[columns].assign(annotator="person " + asked.annotator.astype(str))
    return pd.concat([asked, machines[columns]]), _by_item(protocol, "truth", len(X)), X


def _by_item(frame: pd.DataFrame, column: str, size: int) -> np.ndarray:
    truth = np.full(size, -1)
    truth[frame["item"]] = frame[column]
    return truth


def pool(folder: Path, cache: Path, name: str, number: int, seed: int) -> tuple[Any, np.ndarray, Any]:
    """Labels, truth of each example and out-of-sample probabilities (or None), made once."""
    file = cache / f"{name}-{number}-{seed}.pickle"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(_make_pool(*read(folder, name), number, seed)))
    # Plain arrays, so that another version of the package can read them.
    columns, sizes, truth, probs = pickle.loads(file.read_bytes())
    import activelab as al

    examples, annotators, classes = sizes
    labels = al.Labels(*columns, examples=examples, annotators=annotators, classes=classes)
    return labels, truth, probs


def _make_pool(frame: pd.DataFrame, truth: np.ndarray, X: Any, number: int, seed: int) -> Any:
    import activelab as al

    n_classes = int(max(frame.label.max(), truth.max())) + 1
    rng = np.random.default_rng(seed)
    items = np.unique(frame.item)
    if len(items) > MOST_EXAMPLES:
        # All with a truth first, where few have one.
        rank = rng.random(len(items)) + (truth[items] < 0) * ((truth[items] >= 0).mean() < 0.1)
        items = np.sort(items[np.argsort(rank)[:MOST_EXAMPLES]])
    frame = frame[frame.item.isin(items)].drop_duplicates(["item", "annotator"], keep="last")
    if number:
        frame = frame.assign(draw=rng.random(len(frame))).sort_values(["item", "draw"])
        frame = frame.groupby("item").head(number)
    annotator, names = pd.factorize(frame.annotator.astype(str), sort=True)
    columns = (np.searchsorted(items, frame.item), annotator, frame.label.to_numpy())
    labels = al.Labels(*columns, examples=len(items), annotators=names.tolist(), classes=n_classes)
    return (
        columns,
        (len(items), names.tolist(), n_classes),
        truth[items],
        _probabilities(labels, X, items, seed),
    )


def _probabilities(labels: Any, X: Any, items: np.ndarray, seed: int) -> Any:
    if X is None:
        return None
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import activelab as al

    features = X[items].astype(np.float64)
    if features.shape[1] > COMPONENTS:
        features = PCA(COMPONENTS, random_state=0).fit_transform(features)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    learner = al.ActiveLearner(model, "frugal", seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner.ask(features, labels, batch_size=1)
    return learner.round_.pred_probs


def measured(consensus: Any, truth: np.ndarray) -> dict[str, float]:
    """What is stated and what is true of the labelled examples whose truth is known."""
    known = (truth >= 0) & (consensus.label >= 0)
    quality, right = consensus.quality[known], (consensus.label == truth)[known]
    bins = np.minimum((quality * 10).astype(int), 9)
    settled = quality >= 0.98
    return {
        "stated": float(quality.mean()),
        "true": float(right.mean()),
        "ece": sum(
            abs(float(quality[bins == b].mean() - right[bins == b].mean())) * float((bins == b).mean())
            for b in np.unique(bins)
        ),
        "brier": float(((quality - right) ** 2).mean()),
        "settled": float(right[settled].mean()) if settled.any() else float("nan"),
        "share settled": float(settled.mean()),
    }


def all_measured(folder: Path, cache: Path, seeds: int) -> dict[str, dict[str, float]]:
    """`measured` of every method on every pool, by "crowd/labels/with or without model/method"."""
    import activelab as al

    found: dict[str, list[dict[str, float]]] = {}
    for name in (*WITH_FEATURES, *WITHOUT, *MACHINES):
        for number in (0,) if name in MACHINES else NUMBERS:
            for seed in range(seeds if number else 1):
                labels, truth, probs = pool(folder, cache, name, number, seed)
                for kind, given in (("model", probs), ("alone", None)):
                    if kind == "model" and probs is None:
                        continue
                    results = {
                        "bayesian": al.bayesian_consensus(labels, given),
                        "majority vote": al.majority_vote(labels, given),
                        "Dawid-Skene": al.dawid_skene(labels),
                    }
                    if given is not None:
                        results["CROWDLAB"] = al.crowdlab(labels, given)
                    if name in MACHINES and hasattr(results["bayesian"].annotators, "voice"):
                        machines = [one for one in labels.annotators.tolist() if one.startswith("llm")]
                        families = dict.fromkeys(machines, "language models")
                        results["declared"] = al.bayesian_consensus(labels, given, families=families)
                    for method, result in results.items():
                        key = f"{name}/{number}/{kind}/{method}"
                        found.setdefault(key, []).append(measured(result, truth))
    return {
        key: {part: float(np.nanmean([one[part] for one in several])) for part in several[0]}
        if not all(np.isnan(one["settled"]) for one in several)
        else {part: float(np.mean([one[part] for one in several])) for part in several[0]}
        for key, several in found.items()
    }


def show(found: dict[str, Any], before: dict[str, Any]) -> None:
    """The tables of posterior, machines and methods."""
    from _common import print_table

    columns = ["stated", "true", "ece", "brier", "settled"]
    for kind in ("model", "alone"):
        rows, names = [], WITH_FEATURES if kind == "model" else [*WITH_FEATURES, *WITHOUT]
        for number in NUMBERS:
            parts = [f"{name}/{number}/{kind}/bayesian" for name in names]
            rows += [
                [
                    part.split("/")[0],
                    str(number or "all"),
                    *_cells(before, part, columns),
                    *_cells(found, part, columns),
                ]
                for part in parts
            ]
            rows.append(
                [
                    "**mean**",
                    str(number or "all"),
                    *_means(before, parts, columns),
                    *_means(found, parts, columns),
                ]
            )
        header = ["crowd", "labels", *(f"{c}, before" for c in columns), *columns]
        print(f"\n### {'With a model' if kind == 'model' else 'Labels alone'}\n")
        print_table(header, rows)
    print("\n### Six language models and one person\n")
    rows = [
        [
            name,
            *(f"{found[f'{name}/0/model/{m}']['true']:.3f}" for m in ("majority vote",)),
            *_cells(before, f"{name}/0/model/bayesian", columns[:2]),
            *_cells(found, f"{name}/0/model/bayesian", columns[:2]),
            *_cells(found, f"{name}/0/model/declared", columns[:2]),
        ]
        for name in MACHINES
    ]
    print_table(
        [
            "set",
            "vote true",
            "stated, before",
            "true, before",
            "stated",
            "true",
            "stated, declared",
            "true, declared",
        ],
        rows,
    )
    print("\n### Which consensus is right most often\n")
    rows = []
    for key in found:
        name, number, kind, method = key.split("/")
        if method != "bayesian" or name in MACHINES:
            continue
        others = {
            m: found[f"{name}/{number}/{kind}/{m}"]["true"]
            for m in ("CROWDLAB", "Dawid-Skene", "majority vote")
            if f"{name}/{number}/{kind}/{m}" in found
        }
        best = max(others.values())
        rows.append(
            [
                name,
                number if number != "0" else "all",
                kind,
                f"{found[key]['true']:.3f}",
                *(
                    f"{others[m]:.3f}" if m in others else ""
                    for m in ("CROWDLAB", "Dawid-Skene", "majority vote")
                ),
                f"{100 * (found[key]['true'] - best):+.1f}",
            ]
        )
    print_table(
        [
            "crowd",
            "labels",
            "model",
            "auto (bayesian)",
            "CROWDLAB",
            "Dawid-Skene",
            "majority vote",
            "auto − best other",
        ],
        rows,
    )


def _cells(found: dict[str, Any], key: str, columns: list[str]) -> list[str]:
    return [f"{found[key][c]:.3f}" if key in found else "" for c in columns]


def _means(found: dict[str, Any], keys: list[str], columns: list[str]) -> list[str]:
    """Means over crowds; for "stated" the mean distance from what is true."""
    have = [found[key] for key in keys if key in found]
    if not have:
        return [""] * len(columns)
    gap = np.mean([abs(one["stated"] - one["true"]) for one in have])
    return [f"off by {gap:.3f}", *(f"{np.nanmean([one[c] for one in have]):.3f}" for c in columns[1:])]


def audits(folder: Path, cache: Path, replays: int, checks: int = 100) -> None:
    """Coverage and width of audits of 100 checks, by perfect checkers and by some who err one time in ten."""
    import activelab as al
    from _common import print_table
    from activelab.audit import Checker, audit_report, class_shares, draw_audit, safe_labels

    rows = []
    crowds = [(name, number) for name in (*WITH_FEATURES, *WITHOUT) for number in (1, 3, 0)]
    for name, number in (*crowds, *((name, 0) for name in MACHINES)):
        labels, truth, probs = pool(folder, cache, name, number, 0)
        kept = np.flatnonzero(truth >= 0)
        labels = labels.select(labels.examples[kept])
        consensus = al.bayesian_consensus(labels, None if probs is None else probs[:, kept])
        right = consensus.label == truth[kept]
        share, rng = right.mean(), np.random.default_rng(0)
        common = np.bincount(truth[kept], minlength=labels.n_classes) / len(right)
        found: dict[str, list[float]] = {
            key: []
            for key in ("error", "cover", "width", "erring", "safe", "safe erring", "shipped", "classes")
        }
        for seed in range(replays):
            audit = draw_audit(consensus, checks, seed=seed)
            answers = right[audit.examples]
            report = audit_report(audit, answers)
            found["error"].append(abs(report.share - share))
            found["cover"].append(report.low <= share <= report.high)
            found["width"].append(report.high - report.low)
            shares = class_shares(audit, truth[kept][audit.examples])
            found["classes"].append(float(np.mean((shares.low <= common) & (common <= shares.high))))
            mistaken = rng.random(len(answers)) < 0.1
            agreeing = ~answers & (rng.random(len(answers)) < 1 / (labels.n_classes - 1))
            answers_erring = np.where(mistaken, agreeing, answers)
            gold = rng.binomial(100, 0.9)
            checker = Checker(gold, 100 - gold)
            report = audit_report(audit, answers_erring, checker=checker)
            found["erring"].append(report.low <= share <= report.high)
            for key, said, who in (("safe", answers, None), ("safe erring", answers_erring, checker)):
                safe = safe_labels(audit, said, epsilon=0.1, delta=0.1, checker=who)
                found[key].append(not len(safe.examples) or (~right[safe.examples]).mean() <= 0.1)
                if who is None:
                    found["shipped"].append(len(safe.examples) / len(right))
        plain = 2 * 1.96 * np.sqrt(share * (1 - share) / checks)
        mean = {key: float(np.mean(values)) for key, values in found.items()}
        rows.append(
            [
                name,
                str(number or "all"),
                f"{share:.3f}",
                f"{float(consensus.quality.mean()):.3f}",
                f"{mean['error']:.3f}",
                f"{mean['cover']:.3f}",
                f"{mean['width'] / plain:.2f}",
                f"{mean['erring']:.3f}",
                f"{mean['classes']:.3f}",
                f"{mean['safe']:.3f}",
                f"{mean['shipped']:.2f}",
                f"{mean['safe erring']:.3f}",
            ]
        )
    print(f"\n### Audits of {checks} checks, {replays} replays (ε = δ = 0.1)\n")
    print_table(
        [
            "crowd",
            "labels",
            "right",
            "stated",
            "mean error",
            "95 % covers",
            "width / plain",
            "covers, erring",
            "classes cover",
            "guarantee holds",
            "shipped",
            "holds, erring",
        ],
        rows,
    )


def cost(n_examples: int) -> None:
    """CPU seconds of the estimate and of the posteriors."""
    from _common import make_crowd
    from activelab._kernels import blocks
    from activelab.consensus import bayesian_estimate

    for n_classes in (2, 10):
        crowd = make_crowd(n_examples, 200, n_classes=n_classes, dtype=np.float32)
        labels, models = crowd.labels(), (crowd.pred_probs,)
        started = time.process_time()
        estimate = bayesian_estimate(labels, models)
        estimated = time.process_time()
        for block in blocks(labels):
            estimate.posterior(block, models)
        done = time.process_time()
        print(
            f"{n_examples:,} examples, {n_classes} classes: estimate {estimated - started:.2f} s, posteriors "
            f"{done - estimated:.2f} s CPU"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for pools and results")
    parser.add_argument("--against", type=Path, help="src folder of the version to compare with")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--replays", type=int, default=1000)
    parser.add_argument("--only-audits", action="store_true", help="measure audits and nothing else")
    parser.add_argument("--cost", type=int, default=0, help="examples of the pool that is timed")
    parser.add_argument(
        "--only-numbers", action="store_true", help="print the numbers as JSON and nothing else"
    )
    options = parser.parse_args()
    if "ACTIVELAB_DATA" not in os.environ:
        parser.error("set ACTIVELAB_DATA to the folder of the datasets.")
    folder = Path(os.environ["ACTIVELAB_DATA"])
    warnings.filterwarnings("ignore", "Mean of empty slice")
    if not options.only_numbers:
        from _common import versions

        print(versions())
    if options.only_audits:
        audits(folder, options.cache, options.replays)
        return
    found = all_measured(folder, options.cache, options.seeds)
    if options.only_numbers:
        print(json.dumps(found))
        return
    before = {}
    if options.against:
        command = [
            sys.executable,
            __file__,
            "--only-numbers",
            "--cache",
            options.cache,
            "--seeds",
            str(options.seeds),
        ]
        environment = {**os.environ, "PYTHONPATH": str(options.against)}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        before = json.loads(done.stdout.splitlines()[-1])
    show(found, before)
    audits(folder, options.cache, options.replays)
    if options.cost:
        cost(options.cost)


if __name__ == "__main__":
    main()
