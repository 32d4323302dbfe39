"""Checks of an audit from a list that was filled in."""

from __future__ import annotations

from pathlib import Path

from activelab._errors import InputError, first
from activelab.project._project import Project
from activelab.project.labelling.audits import list_checks
from activelab.project.labelling.queue import ConflictError
from activelab.project.store import accounts
from activelab.tables import id_text, naming, read_ids


def enter_checks(project: Project, audit_id: int, path: Path, by: str) -> int:
    """Store the checks in a list, of which all are looked at before; how many are new.

    Rows without a label are not checked yet; what is checked already stays as it is.

    Raises
    ------
    InputError
        If a row is of no example of the audit or no class, or ``by`` is nobody who may decide.
    """
    account = project.database.read(lambda c: accounts.find_account(c, name=by))
    if account is None or account.role == "annotator":
        raise InputError(f"{by!r} is no adjudicator of this project.")
    table = read_ids(path, {"example": "example", "label": "label"})
    rows = zip(table["example"].to_pylist(), table["label"].to_pylist(), strict=True)
    pairs = {id_text(one) or "": id_text(label) or "" for one, label in rows if label is not None}
    codes = project.example_codes(pairs)
    checks = {one.example_id: one for one in project.database.read(lambda c: list_checks(c, audit_id))}
    with naming(path):
        strange = [name for name in pairs if codes.get(name) not in checks]
        if strange:
            raise InputError(f"audit {audit_id} does not ask for {first(strange)}.")
        for label in pairs.values():
            project.class_code(label)
    entered = 0
    for name, label in pairs.items():
        if checks[codes[name]].class_code is None:
            try:
                project.check(account.id, audit_id, codes[name], label)
                entered += 1
            except ConflictError:  # somebody was faster
                continue
    return entered
