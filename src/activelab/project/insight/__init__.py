"""What dashboard, report and `activelab status` show."""

from activelab.project.insight.examples import adjudication_list, quality_histogram, queue_head, why_served
from activelab.project.insight.people import annotator_table, pair_agreement
from activelab.project.insight.summary import METRICS, gain_forecast, learning_curve, overview, rounds_table

__all__ = [
    "METRICS",
    "adjudication_list",
    "annotator_table",
    "gain_forecast",
    "learning_curve",
    "overview",
    "pair_agreement",
    "quality_histogram",
    "queue_head",
    "rounds_table",
    "why_served",
]
