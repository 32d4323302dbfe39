"""What dashboard, report and `activelab status` show."""

from pathlib import Path

from activelab.project.insight.audits import (
    audit_estimate,
    audit_list,
    audit_result,
    draw_audit,
    next_check,
    safe_rows,
)
from activelab.project.insight.browse import Search, browse, facets, map_points, search
from activelab.project.insight.charts import Charts, draw_charts
from activelab.project.insight.classes import class_preview, class_table
from activelab.project.insight.examples import (
    adjudication_list,
    decision_list,
    quality_histogram,
    queue_head,
    unclear_list,
    why_served,
)
from activelab.project.insight.final import FinalLabels, final_labels
from activelab.project.insight.headlines import headline
from activelab.project.insight.nothing import why_nothing
from activelab.project.insight.people import annotator_table, pair_agreement
from activelab.project.insight.person import people_table, person
from activelab.project.insight.plan import plan
from activelab.project.insight.results import (
    AnnotatorRow,
    AuditEstimate,
    AuditResult,
    BrowseFacts,
    Case,
    CaseFacts,
    Classes,
    ClassPreview,
    CurvePoint,
    Decision,
    DecisionRow,
    Facets,
    Forecast,
    Headline,
    MapPoints,
    Nothing,
    Overview,
    PairAgreement,
    PersonDetail,
    PersonRow,
    Plan,
    QualityHistogram,
    QueueRow,
    RoundRow,
    UnclearRow,
    Vote,
    Why,
)
from activelab.project.insight.summary import learning_curve, overview, rounds_table

LOOK = Path(__file__).parent / "static" / "look.css"
"""Colours, and how charts are drawn, in light and dark."""

__all__ = [
    "LOOK",
    "AnnotatorRow",
    "AuditEstimate",
    "AuditResult",
    "BrowseFacts",
    "Case",
    "CaseFacts",
    "Charts",
    "ClassPreview",
    "Classes",
    "CurvePoint",
    "Decision",
    "DecisionRow",
    "Facets",
    "FinalLabels",
    "Forecast",
    "Headline",
    "MapPoints",
    "Nothing",
    "Overview",
    "PairAgreement",
    "PersonDetail",
    "PersonRow",
    "Plan",
    "QualityHistogram",
    "QueueRow",
    "RoundRow",
    "Search",
    "UnclearRow",
    "Vote",
    "Why",
    "adjudication_list",
    "annotator_table",
    "audit_estimate",
    "audit_list",
    "audit_result",
    "browse",
    "class_preview",
    "class_table",
    "decision_list",
    "draw_audit",
    "draw_charts",
    "facets",
    "final_labels",
    "headline",
    "learning_curve",
    "map_points",
    "next_check",
    "overview",
    "pair_agreement",
    "people_table",
    "person",
    "plan",
    "quality_histogram",
    "queue_head",
    "rounds_table",
    "safe_rows",
    "search",
    "unclear_list",
    "why_nothing",
    "why_served",
]
