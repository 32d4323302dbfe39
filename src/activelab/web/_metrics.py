"""Figures for Prometheus: requests and writes as they come, the state of the projects when they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from activelab.project import StorageError
from activelab.project.insight.gauges import Gauges, gauges

if TYPE_CHECKING:
    from activelab.project.files.schedule import Backups
    from activelab.web._site import Site

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ANSWERS = ("/api/v1/leases/{lease_id}/answer", "/api/v1/answers/{example_id}")
LOGIN = "/api/v1/session"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_GAUGE_SECONDS = 10.0
"""The state of a project is read at most so often: on a large one it takes a tenth of a second."""


class Metrics:
    """The figures of one server.

    Attributes
    ----------
    sites : list of Site
        Whose state is told.
    backups : list of Backups
        Whose state is told.
    wrote : callable
        Is told how many seconds a write took.
    """

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.backups: list[Backups] = []
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "activelab_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "activelab_http_request_seconds",
            "Seconds until an answer began.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stored = Counter(
            "activelab_answers", "Answers acknowledged by this server.", registry=self.registry
        )
        self._refused = Counter("activelab_answers_refused", "Answers refused (4xx).", registry=self.registry)
        self._logins = Counter("activelab_logins_refused", "Logins refused.", registry=self.registry)
        writes = Histogram(
            "activelab_database_write_seconds",
            "Seconds until a write was on disk, with its waiting for a turn.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.wrote = writes.observe
        ProcessCollector(registry=self.registry)
        self.registry.register(_State(self))
        # Looking a series up by its words takes longer than counting.
        self._kept: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}

    def add(self, site: Site) -> None:
        """Tell of a project, too."""
        self.sites.append(site)
        site.project.database.on_write = self.wrote

    def remove(self, site: Site) -> None:
        """Tell of a project no more."""
        self.sites.remove(site)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = method, route, status
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = (
                self._requests.labels(method, route, str(status)).inc,
                self._seconds.labels(route).observe,
            )
        kept[0]()
        kept[1](seconds)
        if route in ANSWERS and method in ("POST", "PUT"):
            if status < 300:
                self._stored.inc()
            elif 400 <= status < 500:
                self._refused.inc()
        elif route == LOGIN and method == "POST" and status in (401, 429):
            self._logins.inc()

    def text(self) -> bytes:
        """All figures, in the text format of Prometheus."""
        return generate_latest(self.registry)


class _State(Collector):
    """What is read from the projects when it is asked for."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def describe(self) -> list[Any]:
        """Nothing, so that the database is not read before somebody asks."""
        return []

    def collect(self) -> Iterator[Any]:
        """The state of each project, and of the backups."""
        now: dict[str, Gauges] = {}
        silent = []
        for site in list(self.metrics.sites):
            name = site.project.database.short_name
            try:
                now[name] = site.shared("gauges", partial(gauges, site.project), _GAUGE_SECONDS)
            except StorageError:
                silent.append(name)
        up = dict.fromkeys(now, 1) | dict.fromkeys(silent, 0)
        yield _gauge("project_up", "1 if the database answers.", up)
        yield _gauge("labels", "Labels that count.", {name: one.labels for name, one in now.items()})
        yield _gauge("leases", "Examples that people hold.", {name: one.leases for name, one in now.items()})
        yield _gauge(
            "queue", "Examples that wait to be labelled.", {name: one.queue for name, one in now.items()}
        )
        last = {name: one.last_round_seconds for name, one in now.items() if one.last_round_seconds}
        yield _gauge("last_round_seconds", "Seconds that the last round has taken.", last)
        rounds = CounterMetricFamily("activelab_rounds", "Rounds by state.", labels=("project", "state"))
        seconds = CounterMetricFamily(
            "activelab_round_seconds", "Seconds that rounds have taken.", labels=("project",)
        )
        for name, one in now.items():
            seconds.add_metric([name], one.round_seconds)
            for state, number in one.rounds.items():
                rounds.add_metric([name, state], number)
        yield rounds
        yield seconds
        yield from self._backups()

    def _backups(self) -> Iterator[Any]:
        began = {one.name: last for one in list(self.metrics.backups) if (last := one.last()) is not None}
        yield _gauge("backup_timestamp_seconds", "When the newest backup began, since 1970.", began)
        failed = CounterMetricFamily("activelab_backup_failures", "Failed backups.", labels=("project",))
        for one in list(self.metrics.backups):
            failed.add_metric([one.name], one.failures)
        yield failed


def _gauge(name: str, text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"activelab_{name}", text, labels=("project",))
    for project, value in values.items():
        family.add_metric([project], value)
    return family
