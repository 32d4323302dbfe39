"""Several questions about the same examples: the sites of those that somebody is asked."""

from __future__ import annotations

from dataclasses import dataclass

from activelab.project.questions import Asked
from activelab.project.store.accounts import Account
from activelab.web._site import Site
from activelab.web._visitors import Visitor


@dataclass(frozen=True)
class AskedHere:
    """A question, and who somebody is in its project."""

    site: Site
    account: Account

    @property
    def asked(self) -> Asked:
        """The question as the project knows it."""
        return Asked(self.site.name, self.site.project, self.account.id)

    @property
    def root(self) -> str:
        """What the addresses of its project begin with."""
        return address_of_project(self.site)


def address_of_project(site: Site) -> str:
    """What the addresses of a project begin with."""
    return f"{site.home.root}/p/{site.name}" if site.in_workspace else site.root


def lead_of(site: Site) -> Site | None:
    """The project whose examples this one asks about, if it is served; None if it has its own."""
    site.project.refresh()
    about = site.project.ties.about
    lead = None if about is None or not site.in_workspace else site.home.projects.found(about)
    return lead if lead is not None and site.name in lead.project.ties.companions else None


def companions_of(site: Site) -> list[Site]:
    """The projects that are served and ask about the examples of one."""

    def find() -> list[Site]:
        site.project.refresh()
        names = site.project.ties.companions if site.in_workspace else ()
        there = [site.home.projects.found(name) for name in names]
        return [one for one in there if one is not None and lead_of(one) is site]

    return site.shared("companions", find)


def companions_now(site: Site) -> list[Site]:
    """`companions_of`, looked up anew: where what is done rests on it for good."""
    site.project.refresh(0)
    site.forget("companions")
    return companions_of(site)


def account_in(site: Site, name: str) -> Account | None:
    """Who somebody of a workspace is in a project; None if they are not in it."""
    fresh, account = site.known(name)
    return account if fresh else site.member(name)


def asked_of(site: Site, visitor: Visitor) -> list[AskedHere]:
    """What somebody is asked about the examples of a project: its question, and others they may answer."""
    found = [AskedHere(site, visitor.account)]
    for one in companions_of(site):
        account = account_in(one, visitor.person.name)
        if account is not None:
            found.append(AskedHere(one, account))
    return found


def practises_first(asked: list[AskedHere]) -> AskedHere | None:
    """The first question that somebody has to practise before they get examples."""
    return next((one for one in asked if one.site.project.must_practise(one.account.id)), None)
