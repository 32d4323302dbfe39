"""The sentences that page, report and `activelab status` show; each names the numbers it rests on."""

from __future__ import annotations

from activelab.project.insight.results import Verdict
from activelab.project.labelling.summary import AnnotatorAccuracy


def of_hundred(share: float) -> str:
    """A share as so many of 100, with a digit behind the point where that matters; never rounded to all."""
    digits = 0 if share < 0.98 else 1 if share < 0.999 else 2
    if share == 1:
        return "100"
    words = f"{100 * share:.{digits}f}"
    return words if float(words) < 100 else "more than 99.99"


def checked_sentence(share: float, low: float, high: float, n_checked: int) -> str:
    """The headline where labels were checked."""
    answers = f"{n_checked:,} checked answer{'' if n_checked == 1 else 's'}"
    return (
        f"About {of_hundred(share)} of 100 labels are right "
        f"({of_hundred(low)} to {of_hundred(high)}, from {answers})."
    )


def expected_sentence(share: float, low: float | None, high: float | None) -> str:
    """The headline where none was; a round of an earlier version knows no interval."""
    range_ = "" if low is None or high is None else f"{of_hundred(low)} to {of_hundred(high)}, "
    return (
        f"About {of_hundred(share)} of 100 labels are expected to be right "
        f"({range_}if annotators do not all make the same mistakes)."
    )


def checked_error_sentence(error: float | None, share: float, low: float, high: float, n_checked: int) -> str:
    """The headline of a scale where labels were checked."""
    exact = checked_sentence(share, low, high, n_checked).replace(" are right", " are exactly right")
    return exact if error is None else f"Labels are off by {error:.2f} points on average. {exact}"


def expected_error_sentence(error: float, low: float | None, high: float | None, share: float) -> str:
    """The headline of a scale where none was."""
    range_ = "" if low is None or high is None else f"{low:.2f} to {high:.2f}, "
    return (
        f"Labels are expected to be off by {error:.2f} points of the scale on average ({range_}if annotators "
        f"do not all make the same mistakes); about {of_hundred(share)} of 100 are exactly right."
    )


def expected_sets_sentence(share: float, low: float | None, high: float | None, exact: float | None) -> str:
    """The headline of labels that are sets of classes where none was checked."""
    range_ = "" if low is None or high is None else f"{of_hundred(low)} to {of_hundred(high)}, "
    whole = "" if exact is None else f"; about {of_hundred(exact)} of 100 labels are right in every class"
    return (
        f"About {of_hundred(share)} of 100 decisions, one an example and class, are expected to be right "
        f"({range_}if annotators do not all make the same mistakes){whole}."
    )


def audit_sentence(checks: int) -> str:
    """What it would cost to know instead of to expect."""
    labels = f"{checks:,} label{'' if checks == 1 else 's'}"
    return f"Nobody has checked: an audit of about {labels} would tell to within 2 of 100."


def forecast_sentence(
    verdict: Verdict, labels: int, mended: float, price: float | None, saved: float | None
) -> str:
    """The verdict, with the numbers it rests on."""
    about = "fewer than 0.1" if mended < 0.1 else f"about {mended:.{1 if mended < 9.95 else 0}f}"
    will = f"the next {labels:,} labels are expected to mend {about} wrong ones"
    if price is not None and saved is not None:
        pays = "pays" if verdict == "pays" else "does not pay"
        cost, worth = _two_amounts(price, saved)
        return f"More labelling {pays}: {will}, worth {worth}, and cost {cost}."
    pays = "helps" if verdict == "pays" else "helps little now"
    return f"More labelling {pays}: {will} in the pool, one in {_each(labels, mended)}."


def _each(labels: int, mended: float) -> str:
    if mended * 1000 < labels:
        return "more than 1,000"
    each = labels / mended
    return f"{each:,.1f}" if each < 9.95 else f"{each:,.0f}"


def _two_amounts(one: float, other: float) -> tuple[str, str]:
    """Two amounts with as many digits as it takes to tell which is more."""
    for digits in range(2, 30):
        words = f"{one:,.{digits}f}", f"{other:,.{digits}f}"
        if words[0] != words[1] or one == other:
            break
    return words


def accuracy_words(one: AnnotatorAccuracy | None) -> str:
    """How many of 100 labels of an annotator are right, in words short enough for a cell."""
    if one is None:
        return "–"
    if one.accuracy is not None and one.low is None and not one.too_few:
        return f"{100 * one.accuracy:.0f}"
    if one.accuracy is None or ((one.low is None or one.high is None) and not one.comparisons):
        return "nothing to compare with"
    if one.too_few or one.low is None or one.high is None:
        return "too few to tell"
    return f"{100 * one.accuracy:.0f} ({100 * one.low:.0f} to {100 * one.high:.0f})"
