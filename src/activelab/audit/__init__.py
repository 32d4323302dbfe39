"""An audit: which labels a trusted person checks, and what the checks say of all of them."""

from activelab.audit._checker import Checker
from activelab.audit._design import Audit, audit_of_known, draw_audit, draw_from
from activelab.audit._report import AuditReport, ClassShares, audit_report, class_shares
from activelab.audit._safe import SafeLabels, safe_labels

__all__ = [
    "Audit",
    "AuditReport",
    "Checker",
    "ClassShares",
    "SafeLabels",
    "audit_of_known",
    "audit_report",
    "class_shares",
    "draw_audit",
    "draw_from",
    "safe_labels",
]
