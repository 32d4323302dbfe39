"""Ratings: an ordinal consensus against nominal ones, mean, median and many-facet Rasch, on real crowds.

Crowds are read from the folder in ACTIVELAB_DATA, with 1, 2 and 3 labels an example drawn at random. Where
there is no gold, the truth is the mean of people whose labels no method sees. With a model, its out-of-sample
probabilities are those of a logistic regression on 40 principal components, trained on majority votes. Prints
markdown; docs/ordinal.md holds its output.
"""

from __future__ import annotations

import argparse
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import activelab as al
from _common import markdown, print_machine
from activelab.consensus import OrdinalConsensus

NUMBERS = (1, 2, 3)
COMPONENTS = 40


@dataclass
class Pool:
    """Ratings a method may see, by draws of some of them, and what they are scored by."""

    name: str
    rows: pd.DataFrame  # item, annotator, label
    truth: np.ndarray  # on the scale of the codes, NaN where unknown
    n_classes: int
    features: np.ndarray | None
    families: dict[int, str] | None = None  # machines, by the name of their family

    def drawn(self, number: int, seed: int) -> al.Labels:
        """``number`` labels of every example, at random."""
        rng = np.random.default_rng([seed, number])
        rows = self.rows.iloc[rng.permutation(len(self.rows))]
        rows = rows[rows.groupby("item").cumcount() < number]
        return al.Labels(
            rows["item"],
            rows["annotator"],
            rows["label"],
            examples=len(self.truth),
            annotators=int(self.rows["annotator"].max()) + 1,
            classes=self.n_classes,
        )


def pools(folder: Path, seed: int) -> list[Pool]:
    """Every crowd, with the people held out that the seed holds out."""
    found = []
    for name in ("snow_affect", "adult_content"):
        labels = pd.read_csv(folder / name / "labels.csv.gz")
        truth = pd.read_parquet(folder / name / "items.parquet")["truth"].to_numpy(float)
        truth[truth < 0] = np.nan
        found.append(Pool(name, labels, truth, int(labels["label"].max()) + 1, features(folder / name)))
    here = folder / "convabuse"
    labels, split = pd.read_csv(here / "labels.csv.gz"), pd.read_csv(here / "split.csv.gz")
    column = f"s{seed % 3}"
    rows = labels.merge(split[["item", "annotator", column]], on=["item", "annotator"])
    held = pd.read_csv(here / "truth.csv.gz").query(f"seed == {seed % 3}")
    truth = np.full(int(labels["item"].max()) + 1, np.nan)
    truth[held["item"]] = held["severity_mean"]
    rows = rows[rows[column] == 1]
    found.append(Pool("convabuse", rows, truth, 5, features(here)))
    for name in ("cebab_stars", "summeval"):
        here = folder / "llm_and_people" / name
        labels = pd.read_csv(here / "labels.csv.gz")
        protocol = pd.read_csv(here / "protocol.csv.gz").query(f"seed == {seed % 5}")
        asked = labels.merge(protocol.rename(columns={"asked": "annotator"})[["item", "annotator"]])
        truth = np.full(int(labels["item"].max()) + 1, np.nan)
        truth[protocol["item"]] = protocol["truth_mean"]
        machines = labels[labels["kind"] == "llm"]
        families = {int(code): "machines" for code in machines["annotator"].unique()}
        found.append(Pool(name, pd.concat([asked, machines]), truth, 5, features(here), families))
    return found


def features(folder: Path) -> np.ndarray | None:
    path = folder / "features.npz"
    if not path.exists():
        return None
    X = np.load(path)["X"].astype(np.float64)
    X = X - X.mean(axis=0)
    if X.shape[1] > COMPONENTS:
        _, _, rotation = np.linalg.svd(X[:5000], full_matrices=False)
        X = X @ rotation[:COMPONENTS].T
    return X / max(X.std(), 1e-12)


def predictions(labels: al.Labels, X: np.ndarray, seed: int) -> np.ndarray:
    """Out-of-sample probabilities of a logistic regression trained on majority votes."""
    from sklearn.linear_model import LogisticRegression

    vote = al.majority_vote(labels, seed=seed).label
    rng = np.random.default_rng(seed)
    fold = rng.integers(5, size=len(X))
    out = np.full((len(X), labels.n_classes), 1 / labels.n_classes)
    for at in range(5):
        train = (fold != at) & (vote >= 0)
        model = LogisticRegression(max_iter=500).fit(X[train], vote[train])
        out[fold == at] = 1e-3
        out[np.ix_(fold == at, model.classes_)] += model.predict_proba(X[fold == at])
    return out / out.sum(axis=1, keepdims=True)


# ------------------------------------------------------------------ peers


def central(labels: al.Labels, how: str, seed: int) -> np.ndarray:
    """Mean or median of the labels as a point of the scale; halves are drawn."""
    frame = pd.DataFrame({"item": labels.example, "label": labels.label})
    value = getattr(frame.groupby("item")["label"], how)().reindex(range(labels.n_examples)).to_numpy()
    up = np.random.default_rng(seed).random(len(value)) < 0.5
    point = np.floor(value + 0.5)
    half = np.isclose(value % 1, 0.5)
    return np.where(half & ~up, np.floor(value), point)


def many_facet_rasch(labels: al.Labels, nodes: int = 31) -> np.ndarray:
    """Expected rating by an annotator of mean severity in Linacre's rating-scale model, by marginal
    maximum likelihood: log P(l)/P(l − 1) = θ_i − β_j − τ_l, θ normal, β with a normal prior."""
    example, annotator, label = labels.example, labels.annotator, labels.label.astype(int)
    n_annotators, steps = labels.n_annotators, labels.n_classes - 1
    z = np.linspace(-4, 4, nodes)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    grades = np.arange(steps + 1)

    def log_p(severity: np.ndarray, tau: np.ndarray, theta: np.ndarray) -> np.ndarray:
        eta = grades * (theta[None, :, None] - severity[:, None, None]) - np.r_[0, np.cumsum(tau)]
        top = eta.max(axis=2, keepdims=True)
        return eta - top - np.log(np.exp(eta - top).sum(axis=2, keepdims=True))

    def unpack(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return x[:n_annotators], x[n_annotators : n_annotators + steps], np.exp(x[-2]) * z + x[-1]

    def posterior(x: np.ndarray) -> np.ndarray:
        table = log_p(*unpack(x))
        support = np.tile(np.log(weight), (labels.n_examples, 1))
        np.add.at(support, example, table[annotator, :, label])
        support = np.exp(support - support.max(axis=1, keepdims=True))
        return support / support.sum(axis=1, keepdims=True)

    # Labels of an annotator by node and grade are all the M step needs.
    x = np.zeros(n_annotators + steps + 2)
    for _ in range(30):
        given = posterior(x)
        counts = np.zeros((n_annotators, nodes, steps + 1))
        np.add.at(counts, (annotator, slice(None), label), given[example])

        def loss(x: np.ndarray, counts: np.ndarray = counts) -> tuple[float, np.ndarray]:
            severity, tau, theta = unpack(x)
            table = log_p(severity, tau, theta)
            left = counts - counts.sum(axis=2, keepdims=True) * np.exp(table)
            by_grade = left @ grades
            value = -(counts * table).sum() + (severity**2).sum() / 2 + (tau**2).sum() / 50 + x[-1] ** 2 / 50
            above = np.cumsum(left.sum(axis=(0, 1))[::-1])[::-1][1:]
            of_theta = by_grade.sum(axis=0)
            gradient = np.concatenate(
                [
                    by_grade.sum(axis=1) + severity,
                    above + tau / 25,
                    [-(of_theta * z).sum() * np.exp(x[-2]), -of_theta.sum() + x[-1] / 25],
                ]
            )
            return value, gradient

        before, x = x, minimize(loss, x, jac=True, method="L-BFGS-B", options={"maxiter": 20}).x
        if np.abs(before - x).max() < 1e-3:
            break
    _, tau, theta = unpack(x)
    fair = np.exp(log_p(np.zeros(1), tau, theta)[0]) @ grades
    return np.asarray(posterior(x) @ fair)


# ------------------------------------------------------------------ scores


def weighted_kappa(one: np.ndarray, other: np.ndarray, n_classes: int) -> float:
    """Cohen's kappa with quadratic weights of two ratings of the same examples."""
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(one, other, weights="quadratic", labels=range(n_classes)))


def scores(pool: Pool, point: np.ndarray) -> tuple[float, float]:
    """Mean absolute error and quadratic weighted kappa of some points of the scale."""
    known = ~np.isnan(pool.truth) & ~np.isnan(point) & (point >= 0)
    point, truth = np.rint(point[known]), pool.truth[known]
    error = float(np.abs(point - truth).mean())
    return error, weighted_kappa(point.astype(int), np.rint(truth).astype(int), pool.n_classes)


# ------------------------------------------------------------------ what is compared

PEERS = ("mean", "median", "Rasch")
ORDINAL = {"ordinal, absolute": "absolute", "ordinal, quadratic": "quadratic"}


def compared(pool: Pool, labels: al.Labels, seed: int, with_model: bool) -> dict[str, tuple[float, ...]]:
    """Scores of every method; of the calibrated ones also what is stated and what is true of it."""
    pred_probs = (
        predictions(labels, pool.features, seed) if with_model and pool.features is not None else None
    )
    points = {"majority": al.majority_vote(labels, seed=seed).label}
    points |= {how: central(labels, how, seed) for how in ("mean", "median")}
    if pred_probs is None:
        points["Rasch"] = many_facet_rasch(labels)
    nothing = (np.nan,) * len(STATED)
    found = {name: (*scores(pool, np.asarray(point, float)), *nothing) for name, point in points.items()}
    results = {"nominal": al.bayesian_consensus(labels, pred_probs, seed=seed)}
    for name, loss in ORDINAL.items():
        results[name] = al.ordinal_consensus(labels, pred_probs, loss=loss, seed=seed)
    if pool.families:
        # Machines that were not drawn have no labels to share.
        present = set(labels.annotators[np.unique(labels.annotator)].tolist())
        families = {one: name for one, name in pool.families.items() if one in present}
        results["families"] = al.ordinal_consensus(labels, pred_probs, families=families, seed=seed)
    for name, result in results.items():
        found[name] = (*scores(pool, result.label.astype(float)), *honesty(pool, result))
    return found


STATED = ("over", "expected", "covers", "width")


def honesty(pool: Pool, result: al.Consensus) -> tuple[float, ...]:
    """`STATED`: stated less true of the most probable point, expected less real error, and intervals.

    The truth is rounded to a point of the scale.
    """
    known = ~np.isnan(pool.truth) & (result.label >= 0)
    posterior, label = result.posterior[known], result.label[known]
    truth = np.rint(pool.truth[known]).astype(int)
    over = posterior.max(axis=1).mean() - (posterior.argmax(axis=1) == truth).mean()
    apart = np.abs(np.arange(pool.n_classes) - label[:, None])
    expected = (posterior * apart).sum(axis=1).mean() - np.abs(label - truth).mean()
    if not isinstance(result, OrdinalConsensus):
        return over, expected, np.nan, np.nan
    low, high = (one[known].astype(int) for one in (result.low, result.high))
    return over, expected, ((low <= truth) & (truth <= high)).mean(), (high - low + 1).mean()


def measured(folder: Path, seeds: int) -> pd.DataFrame:
    rows = []
    for seed in range(seeds):
        for pool in pools(folder, seed):
            # A hundred examples need more draws than thousands.
            for draw in range(8 if len(pool.truth) < 500 else 1):
                for number in NUMBERS:
                    labels = pool.drawn(number, seed * 100 + draw)
                    for with_model in (False, True) if pool.features is not None else (False,):
                        for name, values in compared(pool, labels, seed, with_model).items():
                            rows.append((pool.name, with_model, number, name, *values))
    columns = ["crowd", "model", "labels", "method", "error", "kappa", *STATED]
    return pd.DataFrame(rows, columns=columns)


def report(table: pd.DataFrame) -> None:
    mean = table.groupby(["crowd", "model", "labels", "method"], sort=False).mean()
    methods = [one for one in dict.fromkeys(table["method"]) if one != "families"]
    for what, digits in (("error", 3), ("kappa", 3)):
        print("\nMean absolute error" if what == "error" else "\nQuadratic weighted kappa")
        lines = []
        for key, group in mean[what].groupby(["crowd", "model", "labels"], sort=False):
            values = group.droplevel([0, 1, 2])
            crowd, model, number = key
            cells = [f"{values[m]:.{digits}f}" if m in values else "" for m in methods]
            lines.append([crowd, "with" if model else "without", str(number), *cells])
        print(markdown(["crowd", "model", "labels", *methods], lines), flush=True)
    print("\nAgainst the majority, the nominal posterior and the best peer")
    lines = []
    for key, group in mean.groupby(["crowd", "model", "labels"], sort=False):
        values = group.droplevel([0, 1, 2])
        error, kappa = values["error"], values["kappa"]
        peers = [one for one in PEERS if one in values.index]
        ours, squared = error["ordinal, absolute"], kappa["ordinal, quadratic"]
        crowd, model, number = key
        lines.append(
            [
                crowd,
                "with" if model else "without",
                str(number),
                f"{1 - ours / error['majority']:+.1%}",
                f"{1 - ours / error['nominal']:+.1%}",
                f"{ours - error[peers].min():+.3f}",
                f"{squared - kappa['majority']:+.3f}",
                f"{squared - kappa['nominal']:+.3f}",
                f"{squared - kappa[peers].max():+.3f}",
            ]
        )
    header = ["crowd", "model", "labels", "error less than majority's", "than nominal's", "over best peer's"]
    header += ["kappa over majority's", "over nominal's", "over best peer's"]
    print(markdown(header, lines), flush=True)
    print("\nWhat is stated")
    lines = []
    for key, group in mean.groupby(["crowd", "model", "labels"], sort=False):
        values = group.droplevel([0, 1, 2])
        crowd, model, number = key
        cells = [crowd, "with" if model else "without", str(number)]
        for what in ("over", "expected", "covers", "width"):
            for method in ("nominal", "ordinal, absolute", "families"):
                if method == "nominal" and what in ("covers", "width"):
                    continue
                sign = "+" if what in ("over", "expected") else ""
                cells.append(f"{values[what][method]:{sign}.2f}" if method in values.index else "")
        lines.append(cells)
    header = ["crowd", "model", "labels", "stated − true, nominal", "ordinal", "with families"]
    header += ["expected − real error, nominal", "ordinal", "with families"]
    header += ["interval covers", "with families", "points in it", "with families"]
    print(markdown(header, lines), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one seed")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print_machine("scikit-learn", "pandas")
    report(measured(Path(os.environ["ACTIVELAB_DATA"]), 1 if given.quick else given.seeds))
