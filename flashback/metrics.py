"""Figures for Prometheus: requests, checks, and how many rows are in which state. Off unless there is a token.

Counters live in files below the data folder (`prometheus_client`'s mode for several processes), so that every worker
of one `manage.py up`, and the commands that run beside it, add up in each answer; they begin anew with each start.
Gauges are read from the database when somebody asks, so they are right for all processes and machines.
"""

import hmac
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from flashback.errors import NotFound

Handler = Callable[[HttpRequest], HttpResponse]
Read = Callable[[], Mapping[str, int]]

BUCKETS = (0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds; 15 ms is what a page may take
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True)
class Gauge:
    """A number that is read when somebody asks. `read` returns it for each value of `label`."""

    name: str
    help: str
    label: str
    read: Read


gauges: list[Gauge] = []


@dataclass(frozen=True)
class Instruments:
    """The counters of this process."""

    requests: Any
    seconds: Any
    checks: Any


def folder() -> Path:
    """Return where the processes of this installation keep their counters."""
    return Path(settings.DATA_DIR) / "metrics"


def begin() -> None:
    """Forget the counters of the processes before; `manage.py up` calls it before it serves."""
    for left in folder().glob("*.db"):
        left.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def instruments() -> Instruments:
    """Return the counters, made at their first use: the library looks for the folder when it is imported."""
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder())
    from prometheus_client import CollectorRegistry, Counter, Histogram

    ours = CollectorRegistry()  # one of its own, so that nothing is reported but what is named here
    labels = ("method", "route", "status")
    return Instruments(
        Counter("flashback_requests", "Requests by the name of their route.", labels, registry=ours),
        Histogram("flashback_request_seconds", "Time to answer, by route.", ("route",), buckets=BUCKETS, registry=ours),
        Counter("flashback_checks", "Checks of AI LLMs that were kept.", ("verdict", "kind", "by"), registry=ours),
    )


def count_check(verdict: str, *, kind: str, by: str) -> None:
    """Count a check that was kept; `by` is person or schedule. Does nothing while metrics are off."""
    if settings.METRICS_TOKEN:
        instruments().checks.labels(verdict, kind, by).inc()


class MetricsMiddleware:
    """Counts and times every request that reaches the pages, static files too. Not there while metrics are off."""

    def __init__(self, get_response: Handler) -> None:
        if not settings.METRICS_TOKEN:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        response = self.get_response(request)
        route = _route(request)
        method = request.method if request.method in METHODS else "other"
        instruments().requests.labels(method, route, str(response.status_code)).inc()
        instruments().seconds.labels(route).observe(time.perf_counter() - begun)
        return response


@login_not_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Answer with all figures for whoever has the token; 404 while metrics are off, 401 for a wrong token."""
    if not settings.METRICS_TOKEN:
        raise NotFound
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    if scheme.lower() != "bearer" or not right:
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return HttpResponse("The token is missing or wrong.\n", status=401, headers=headers, content_type="text/plain")
    return HttpResponse(_text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _text() -> bytes:
    instruments()
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    everything = CollectorRegistry()
    MultiProcessCollector(everything, path=str(folder()))  # type: ignore[no-untyped-call]  # it has no types
    everything.register(_Rows())
    return generate_latest(everything)


class _Rows:
    """Reads the gauges."""

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        for gauge in gauges:
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=(gauge.label,))
            for value, number in gauge.read().items():
                family.add_metric((value,), number)
            yield family


def _route(request: HttpRequest) -> str:
    """Return the name of the request's route: a bounded number of words, and nothing of what was typed."""
    match = request.resolver_match
    if match is not None:
        return match.view_name or "other"
    return "static" if request.path_info.startswith(settings.STATIC_URL) else "none"
