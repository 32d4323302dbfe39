"""The mathematics of the core once more, as slow loops over dictionaries: an oracle for the tests."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np


def rows_of(matrix):
    """Labels of each example as a list of (annotator, label)."""
    return [[(j, int(v)) for j, v in enumerate(row) if not np.isnan(v)] for row in np.asarray(matrix, float)]


def agreement(rows, n_annotators):
    g = []
    for j in range(n_annotators):
        same = total = 0
        for row in rows:
            mine = [label for a, label in row if a == j]
            if mine and len(row) > 1:
                same += sum(label == mine[0] for a, label in row if a != j)
                total += len(row) - 1
        g.append(same / total if total else math.nan)
    mean = np.nanmean(g)
    return [mean if math.isnan(x) else x for x in g]


def vote(row, probs, totals):
    """Majority vote; ties by probability, then by the most frequent class. None if that leaves a tie."""
    counts = Counter(label for _, label in row)
    best = [k for k in counts if counts[k] == max(counts.values())]
    if len(best) > 1 and probs is not None:
        best = [k for k in best if probs[k] == max(probs[k] for k in best)]
    if len(best) > 1:
        best = [k for k in best if totals[k] == max(totals[k] for k in best)]
    return best[0] if len(best) == 1 else None


def trust(rows, models, consensus, n_annotators):
    shared = [i for i, row in enumerate(rows) if len(row) > 1]
    labelled = [row for row in rows if row]
    totals = Counter(label for row in rows for _, label in row)
    highest = max(totals.values())
    k_star = min(k for k in totals if totals[k] == highest)
    p = np.mean([np.mean([label == consensus[i] for _, label in rows[i]]) for i in shared])
    base_error = max(1 - np.mean([consensus[i] == k_star for i in shared]), 1e-6)
    weight = [max(1 - (1 - g) / base_error, 1e-6) for g in agreement(rows, n_annotators)]
    depth = math.sqrt(np.mean([len(row) for row in labelled]))
    model_weight = []
    for model in models:
        accuracy = np.mean([np.argmax(model[i]) == consensus[i] for i in shared])
        model_weight.append(max(1 - (1 - accuracy) / base_error, 1e-6) * depth)
    return p, weight, model_weight


def posterior(row, probs, p, weight, model_weight):
    n_classes = len(probs[0])
    q = []
    for k in range(n_classes):
        top = sum(w * m[k] for w, m in zip(model_weight, probs, strict=True))
        for j, label in row:
            top += weight[j] * (p if label == k else (1 - p) / (n_classes - 1))
        q.append(top / (sum(model_weight) + sum(weight[j] for j, _ in row)))
    return q


def crowdlab(matrix, models):
    """Consensus, posterior, P, annotator and model weights; None if a tie needs more than counts."""
    rows, n_annotators = rows_of(matrix), np.shape(matrix)[1]
    mean = np.mean(models, axis=0)
    totals = Counter(label for row in rows for _, label in row)
    votes = [vote(row, mean[i], totals) if row else -1 for i, row in enumerate(rows)]
    if None in votes:
        return None
    p, weight, model_weight = trust(rows, models, votes, n_annotators)
    consensus = []
    for i, row in enumerate(rows):
        q = posterior(row, [m[i] for m in models], p, weight, model_weight)
        best = [k for k in range(len(q)) if abs(q[k] - max(q)) < 1e-12]
        consensus.append(-1 if not row else best[0] if len(best) == 1 else votes[i])
    p, weight, model_weight = trust(rows, models, consensus, n_annotators)
    q = [posterior(row, [m[i] for m in models], p, weight, model_weight) for i, row in enumerate(rows)]
    return consensus, np.array(q), p, np.array(weight), np.array(model_weight)


def activelab(matrix, models):
    """ActiveLab scores on probabilities that are already calibrated; None as in `crowdlab`."""
    result = crowdlab(matrix, models)
    if result is None:
        return None
    consensus, _, p, weight, model_weight = result
    rows, n_classes = rows_of(matrix), np.shape(models)[2]
    mean_weight = float(np.mean(weight))
    scores = []
    for i, row in enumerate(rows):
        weighted = [w * np.asarray(m[i]) for w, m in zip(model_weight, models, strict=True)]
        mixed = np.sum(weighted, axis=0)
        target = consensus[i] if row else int(np.argmax(mixed))
        top = mean_weight / n_classes + mixed[target]
        bottom = mean_weight + sum(model_weight)
        for j, label in row:
            top += weight[j] * (p if label == target else (1 - p) / (n_classes - 1))
            bottom += weight[j]
        scores.append(top / bottom)
    return np.array(scores)


def soft_cross_entropy(matrix, probs, temperature):
    """Mean cross-entropy of calibrated probabilities to the shares of the labels."""
    total, n = 0.0, 0
    for row, p in zip(rows_of(matrix), probs, strict=True):
        if row:
            scaled = np.maximum(p, 1e-30) ** (1 / temperature)
            scaled /= scaled.sum()
            total -= np.mean([np.log(scaled[label]) for _, label in row])
            n += 1
    return total / n


def bayesian(matrix, models, steps=6):
    """Posteriors, accuracies (right, wrong), inverse temperatures and lapses of the models, and S.

    For pools too small for a test of dependence.
    """
    rows, n_annotators = rows_of(matrix), np.asarray(matrix).shape[1]
    n_classes = len(models[0][0])
    accuracy, confusion, observed, discount = [0.8] * n_annotators, None, None, 0.0
    betas = [calibration(rows, model) for model in models]
    labelled = [i for i, row in enumerate(rows) if row]
    sure = [
        max(np.mean([lapsing(m[i], *b) for m, b in zip(models, betas, strict=True)], axis=0))
        for i in labelled
    ]
    of_models = 2 * (n_classes * np.mean(sure) - 1) / (n_classes - 1)

    def posteriors(exponent):
        return [
            bayes_rule(row, [m[i] for m in models], betas, accuracy, confusion, exponent, of_models)
            for i, row in enumerate(rows)
        ]

    for step in range(steps):
        posterior = posteriors(0.0)
        if step == steps - 1:
            # Each label is held out, predicted by the others and channels that have not seen its example.
            discount = held_out_exponent(rows, models, betas, posterior, confusion, observed, of_models)
        believed = posteriors(discount)
        right, trusted, given = [0.0] * n_annotators, [0.0] * n_annotators, [0] * n_annotators
        counts = np.zeros((n_annotators, n_classes, n_classes))  # annotator, class, label
        for i in labelled:
            for j, label in rows[i]:
                right[j] += posterior[i][label]
                trusted[j] += believed[i][label]
                given[j] += 1
                for k in range(n_classes):
                    counts[j][k][label] += posterior[i][k]
        alpha, beta = ability(right, given)
        accuracy = [a / (a + b) for a, b in zip(alpha, beta, strict=True)]
        confusion = shrunken(counts, (sum(right) + 4) / (sum(given) + 5), accuracy, n_classes)
        observed = counts.sum(axis=2) + n_classes**2
    return np.array(posteriors(discount)), np.array(ability(trusted, given)), betas, discount


def ability(right, given):
    mean = (sum(right) + 4) / (sum(given) + 5)
    alpha = [5 * mean + r for r in right]
    return alpha, [5 * (1 - mean) + g - r for r, g in zip(right, given, strict=True)]


def held_out_exponent(rows, models, betas, posterior, confusion, observed, of_models):
    held = []
    for i, row in enumerate(rows):
        prior = np.mean([lapsing(m[i], *b) for m, b in zip(models, betas, strict=True)], axis=0)
        said = []
        for j, label in row:
            seen = [max(c[label], 1e-4) for c in confusion[j]]
            said.append(
                [
                    max(p * n - r, 1e-4) / max(n - r, 1e-4)
                    for p, n, r in zip(seen, observed[j], posterior[i], strict=True)
                ]
            )
        for own in range(len(row)) if len(row) > 1 else ():
            others = np.log([p for position, p in enumerate(said) if position != own]).sum(axis=0)
            held.append((np.log(prior) + others, len(row) - 1 + of_models, said[own]))
    grid = np.linspace(0.0, 1.2, 25)
    score = []
    for s in grid:
        total = -((s - 0.4) ** 2) / (2 * 0.1**2)
        for support, voices, own in held:
            total += math.log(np.dot(softmax(support * max(voices, 1) ** -s), own))
        score.append(total)
    best = int(np.argmax(score))
    shown = grid[best]
    if 0 < best < len(grid) - 1:
        left, middle, right = score[best - 1 : best + 2]
        shown += (grid[1] - grid[0]) * (left - right) / (2 * (left - 2 * middle + right))
    return min(1.5 * shown, 0.75)


def softmax(values):
    top = max(values)
    total = sum(math.exp(v - top) for v in values)
    return [math.exp(v - top) / total for v in values]


def bayes_rule(row, probs, betas, accuracy, confusion, exponent, of_models):
    n_classes = len(probs[0])
    prior = np.mean([lapsing(p, *b) for p, b in zip(probs, betas, strict=True)], axis=0)
    logs = []
    for k in range(n_classes):
        total = math.log(prior[k])
        for j, label in row:
            if confusion is None:
                total += math.log(accuracy[j] if label == k else (1 - accuracy[j]) / (n_classes - 1))
            else:
                total += math.log(max(confusion[j][k][label], 1e-4))
        logs.append(total * max(len(row) + of_models, 1) ** -exponent)
    return softmax(logs)


def lapsing(probs, beta, lapse):
    """softmax(β log p), and with probability ε nothing but chance."""
    tempered = softmax([beta * math.log(max(x, 1e-30)) for x in probs])
    return [(1 - lapse) * x + lapse / len(probs) for x in tempered]


def calibration(rows, model):
    """The pair (β, ε) of a grid that makes the labels likeliest if annotators are right at a rate of 0.8.

    A label that is a rare class is an error the less often, the rarer it is.
    """
    n_classes = len(model[0])
    given = [label for row in rows for _, label in row]
    share = [(given.count(k) + 1) / (len(given) + n_classes) for k in range(n_classes)]
    error = [0.2 / (n_classes - 1) * min(1, 2 * n_classes * one) ** 2 for one in share]
    best, found = -math.inf, (1.0, 0.0)
    for beta in [1.0, *np.geomspace(0.05, 5.0, 25).tolist()]:
        for lapse in (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7):
            total = []
            for row, probs in zip(rows, model, strict=True):
                if not row:
                    continue
                right = np.array(
                    [
                        math.prod(0.8 if label == k else error[label] for _, label in row)
                        for k in range(n_classes)
                    ]
                )
                total.append(math.log(np.dot(lapsing(probs, beta, lapse), right / right.max())))
            if total and np.mean(total) > best + 1e-9:
                best, found = float(np.mean(total)), (beta, lapse)
    return found


def shrunken(counts, mean, accuracy, n_classes):
    off = (1 - mean) / (n_classes - 1)
    pooled = counts.sum(axis=0)
    for k in range(n_classes):
        start = np.array([mean if label == k else off for label in range(n_classes)])
        pooled[k] = (pooled[k] + 5 * n_classes * start) / (pooled[k].sum() + 5 * n_classes)
    confusion = np.empty_like(counts)
    for j, q in enumerate(accuracy):
        for k in range(n_classes):
            odds = pooled[k][k] / (1 - pooled[k][k]) * q / (1 - q) * (1 - mean) / mean
            prior = pooled[k] / (1 - pooled[k][k]) / (1 + odds)
            prior[k] = odds / (1 + odds)
            total = counts[j][k].sum() + n_classes**2
            confusion[j][k] = (counts[j][k] + n_classes**2 * prior) / total
    return confusion
