"""Accounts and invitations: of a project, or of a workspace."""

from __future__ import annotations

import json
import time
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool

from activelab.project.files.personal import personal_data, remove_person
from activelab.project.store import accounts
from activelab.project.store.audit import write_audit
from activelab.project.store.rosters import check_roster, invite_roster, links_table, read_roster
from activelab.project.store.schema import invite
from activelab.web._api_session import account_out
from activelab.web._bodies import (
    AccountOut,
    AnnotatorIn,
    AnnotatorPatch,
    InvitedOut,
    InviteIn,
    InviteOut,
    InvitesIn,
    Number,
    RemovedOut,
    RemoveIn,
    RosterIn,
    RosterOut,
)
from activelab.web._failures import ERRORS, Failure
from activelab.web._site import Site
from activelab.web._visitors import Adjudicator, Admin, Annotator, Here

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["administration"])


@router.get("/annotators", summary="Accounts")
def annotators(site: Here, _: Adjudicator) -> list[AccountOut]:
    """All accounts, by name."""
    return [account_out(one) for one in site.project.database.read(accounts.list_accounts)]


@router.post("/annotators", status_code=201, summary="Make an account")
def add_annotator(body: AnnotatorIn, site: Here, visitor: Admin) -> AccountOut:
    """An account without a password; an invitation in its name lets somebody take it over."""

    def add(connection: Connection) -> int:
        identity = accounts.add_annotator(connection, body.name, time.time(), role=body.role)
        write_audit(connection, visitor.account.id, "account made", {"name": body.name, "role": body.role})
        return identity

    return _found(site, site.project.database.write(add))


@router.patch("/annotators/{annotator_id}", summary="Change an account")
def change_annotator(annotator_id: Number, body: AnnotatorPatch, site: Here, visitor: Admin) -> AccountOut:
    """Give an account another role, disable it (which ends its sessions and tokens), or enable it."""
    name = _found(site, annotator_id).name

    def change(connection: Connection) -> None:
        if body.role is not None:
            accounts.set_role(connection, name, body.role)
        if body.disabled is not None:
            accounts.set_disabled(connection, name, body.disabled)
        write_audit(
            connection,
            visitor.account.id,
            "account changed",
            {"name": name} | body.model_dump(exclude_unset=True),
        )

    site.project.database.write(change)
    site.forget_accounts()
    site.forget("people")
    return _found(site, annotator_id)


_JSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}


@router.get(
    "/annotators/{annotator_id}/data", summary="What is stored of somebody", response_class=Response,
    responses=_JSON,
)  # fmt: skip
async def person_data(annotator_id: Number, site: Here, _: Admin) -> Response:
    """All that is stored of a person, as a JSON file without secrets; of a workspace in all its projects."""
    account = await run_in_threadpool(_found, site, annotator_id)
    return await _data(site, account, own=False)


@router.get("/me/data", summary="What is stored of you", response_class=Response, responses=_JSON)
async def own_data(site: Here, visitor: Annotator) -> Response:
    """All that is stored of you, in a workspace in all its projects.

    What you should not know while you label is left out: ids of examples, known answers, estimates.
    """
    return await _data(site, account_out(visitor.account), own=True)


async def _data(site: Site, account: AccountOut, *, own: bool) -> Response:
    def load() -> str:
        if site.workspace is not None:
            data = site.workspace.personal_data(account.name, own=own)
        else:
            data = personal_data(site.project, account.id, own=own)
        return json.dumps(data, ensure_ascii=False, indent=1)

    async with site.export_turn:  # much memory, as exports
        text = await run_in_threadpool(load)
    return Response(
        text,
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="person.json"'},
    )


@router.delete("/annotators/{annotator_id}", summary="Remove a person")
def remove(annotator_id: Number, body: RemoveIn, site: Here, visitor: Admin) -> RemovedOut:
    """Remove account, sessions, tokens, invitations and name of a person; of a workspace in all its projects.

    Answers stay under a pseudonym, so that no consensus changes, or are taken back as well.
    """
    account = _found(site, annotator_id)
    if body.confirm != account.name:
        raise Failure(422, "the name given is another.", field="confirm")
    if site.workspace is not None:
        done = site.workspace.remove_person(account.name, visitor.account, answers=body.answers)
    else:
        done = remove_person(site.project, annotator_id, visitor.account.id, answers=body.answers)
    site.forget_accounts()
    site.forget("people")
    return RemovedOut(name=done.name, answers=done.answers)


def _found(site: Site, annotator_id: int) -> AccountOut:
    account = site.project.database.read(lambda c: accounts.find_account(c, identity=annotator_id))
    if account is None:
        raise Failure(404, f"there is no account {annotator_id}.")
    return account_out(account)


@router.get("/invites", summary="Invitations")
def invites(site: Here, _: Admin) -> list[InviteOut]:
    """All invitations, newest first, without their links."""
    return [InviteOut(**row) for row in site.project.database.read(accounts.list_invites)]


@router.post("/invites", status_code=201, summary="Invite")
def make_invite(body: InviteIn, site: Here, visitor: Admin) -> InviteOut:
    """An invitation that can be used once; its link is in this answer alone.

    The secret stands behind the # of the link: browsers do not send that part, so that it is in no log.
    """

    def make(connection: Connection) -> InviteOut:
        secret = accounts.create_invite(
            connection, time.time(), role=body.role, name=body.name, days=body.days
        )
        write_audit(connection, visitor.account.id, "invited", {"name": body.name, "role": body.role})
        return _with_link(connection, secret)

    return site.project.database.write(make)


@router.post("/invites/preview", summary="Look at a list of people to invite")
def preview_invites(body: RosterIn, site: Here, _: Admin) -> RosterOut:
    """What is wrong with a list of people, by line; nobody is invited."""
    roster = read_roster(body.text)
    checked = site.project.database.read(lambda c: check_roster(c, roster, time.time()))
    return RosterOut(people=[InvitedOut.model_validate(one) for one in checked.people])


@router.post("/invites/several", status_code=201, summary="Invite several people")
def make_invites(body: InvitesIn, site: Here, visitor: Admin) -> RosterOut:
    """An invitation for each of a list, or for nobody if a line is wrong; links are in this answer alone."""
    roster = read_roster(body.text)

    def make(connection: Connection) -> list[str]:
        made = invite_roster(connection, roster, time.time(), body.days)
        write_audit(connection, visitor.account.id, "invited", {"names": [one.name for one in roster.people]})
        return made

    secrets = site.project.database.write(make)
    paths = [accounts.join_path(one, who.name) for one, who in zip(secrets, roster.people, strict=True)]
    rows = zip(roster.people, paths, strict=True)
    return RosterOut(
        people=[InvitedOut.model_validate(one).model_copy(update={"link": path}) for one, path in rows],
        table=links_table(roster, [body.url.rstrip("/") + path for path in paths]),
    )


def _with_link(connection: Connection, secret: str) -> InviteOut:
    number = connection.execute(
        select(invite.c.id).where(invite.c.digest == accounts.digest(secret))
    ).scalar_one()
    row = next(row for row in accounts.list_invites(connection) if row["id"] == number)
    return InviteOut(**row, link=accounts.join_path(secret, row["name"]))


@router.post("/annotators/{annotator_id}/reset", status_code=201, summary="A new password for somebody")
def reset_password(annotator_id: Number, site: Here, visitor: Adjudicator) -> InviteOut:
    """An invitation with which somebody chooses a new password; the old one and all sessions end.

    Adjudicators make one for annotators alone: whoever has the link is who it is for.
    """
    account = _found(site, annotator_id)
    if site.home is not site:
        raise Failure(403, "passwords are those of the workspace; an admin of it resets them there.")
    if annotator_id == visitor.account.id:
        raise Failure(409, "your own password is changed on the page that bears your name.")
    # Who is an annotator of a workspace may be an admin in its projects.
    if not visitor.may("admin") and (account.role != "annotator" or site.workspace is not None):
        raise Failure(403, f"the password of {account.name} is reset by an admin.")
    name = account.name

    def reset(connection: Connection) -> InviteOut:
        secret = accounts.reset_password(connection, annotator_id, time.time())
        write_audit(connection, visitor.account.id, "password reset", {"name": name})
        return _with_link(connection, secret)

    made = site.project.database.write(reset)
    site.forget_accounts()
    return made


@router.delete("/invites/{invite_id}", status_code=204, summary="Revoke an invitation")
def revoke_invite(invite_id: Number, site: Here, visitor: Admin) -> None:
    """End an invitation that was not used yet."""

    def revoke(connection: Connection) -> None:
        if not accounts.revoke_invite(connection, invite_id, time.time()):
            raise Failure(404, "there is no such invitation that is still open.")
        write_audit(connection, visitor.account.id, "invitation revoked", {"id": invite_id})

    site.project.database.write(revoke)
