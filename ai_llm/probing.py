"""The check itself: describe, send, judge, and prove by a made-up secret. It knows nothing of the database."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from ai_llm import causes, doctor, outcomes
from ai_llm.echoes import Echoes
from ai_llm.models import Verdict
from ai_llm.outcomes import Result
from ai_llm.providers import PROVIDERS, Judgement, Provider, Recipe, UnprovableError, addresses, control
from flashback import outbound
from flashback.outbound import Answer, Failure, Fault, Request, ShapeError, Stage

TOTAL_SECONDS = 10.0
# With less than this left, a further request could only run out of time.
LEAST_SECONDS = 0.5
TURNS, TURN_SECONDS = 20, 0.1


@dataclass
class _Probe:
    """One running check: what it is about, and what it has learned. Its repr holds no secret."""

    provider: Provider
    endpoint: str
    recipe: Recipe | None
    origins: frozenset[str]
    slot: str
    secret: str = field(repr=False)
    key: str = field(repr=False)
    started: float = field(default_factory=time.monotonic)
    url: str = ""
    status: int | None = None
    stages: tuple[Stage, ...] = ()
    control_ms: float | None = None
    fault: Fault | None = None

    def seconds_left(self) -> float:
        return TOTAL_SECONDS - (time.monotonic() - self.started)

    def send(self, request: Request, *made_up: str) -> Answer:
        if self.seconds_left() < LEAST_SECONDS:
            raise Failure(Fault.READ_TIMEOUT)
        secrets = [text for text in (self.secret, self.key, *made_up) if text]
        total = self.seconds_left()
        return outbound.send(request, secrets=secrets, origins=self.origins, total=total, slot=self.slot)

    def stands_in(self, url: str) -> bool:
        return any(text and (text in url or quote(text, safe="") in url) for text in (self.secret, self.key))

    def excerpt(self, text: str) -> str:
        """Return provider text that may be shown. What an internal server says stays inside."""
        if not text or not addresses.is_public(addresses.host_of(self.endpoint)):
            return ""
        return outbound.redact(text, [value for value in (self.secret, self.key) if value])


@sensitive_variables("secret", "key", "probe")
def run(
    type: str,
    endpoint: str,
    secret: str,
    key: str,
    *,
    slot: str,
    bound_to: str = "",
) -> Result:
    """Check a credential at an endpoint and return what came of it, within 10 seconds. Stores nothing.

    `slot` names the workspace: two checks of one slot and host run at once, more end as too_many_checks. `bound_to` is
    the origin (scheme://host:port) that a stored secret belongs to; without it the secret was typed for this endpoint.
    Whatever the other side does, the answer is a Result. Raises RuntimeError inside a database transaction.
    """
    provider = PROVIDERS[type]
    try:
        own = outbound.origin(endpoint)
    except ShapeError as error:
        return Result(Verdict.UNDECIDED, "endpoint_unusable", {"rule_message": error.message})
    origins = frozenset({own, *provider.origins(endpoint)})
    probe = _Probe(provider, endpoint, provider.recipe(endpoint), origins, slot, secret, key)
    if bound_to and bound_to != own:
        judgement = Judgement("secret_bound_elsewhere")
    elif not secret and provider.needs_secret:
        judgement = Judgement("secret_missing")
    else:
        judgement = _judged(probe)
    return _result(probe, judgement)


@sensitive_variables("requests")
def _judged(probe: _Probe) -> Judgement:
    try:
        requests = probe.provider.describe(probe.endpoint, probe.secret, probe.key)
    except UnprovableError as unprovable:
        return Judgement(unprovable.cause)
    if any(probe.stands_in(request.url) for request in requests):
        return Judgement("secret_in_endpoint")
    probe.url = requests[0].url
    try:
        answer = probe.send(requests[0])
    except Failure as failure:
        probe.stages, probe.fault = failure.stages, failure.fault
        return Judgement(causes.OF_FAULT[failure.fault])
    probe.status, probe.stages = answer.status, answer.stages
    judgement = probe.provider.judge(answer, probe.endpoint)
    if len(requests) > 1 and judgement.models:
        return Judgement("unexpected_form")  # a list stands where the provider speaks about the key
    if control.needed(probe.recipe, judgement, answer.status):
        judgement = replace(judgement, cause=_controlled(probe, judgement, answer.status))
    if judgement.cause == "accepted" and len(requests) > 1:
        return _with_list(probe, judgement, requests[-1])
    return judgement


@sensitive_variables("wrong", "request")
def _controlled(probe: _Probe, first: Judgement, status: int) -> str:
    """Return the cause after a second request with a made-up secret; the API Key stays as it is."""
    wrong = control.made_up(probe.secret)
    began = time.monotonic()
    try:
        request = probe.provider.describe(probe.endpoint, wrong, probe.key)[0]
        answer = _sent_in_turn(probe, request, wrong)
    except Failure:
        return "control_unclear"
    finally:
        probe.control_ms = (time.monotonic() - began) * 1000
    return control.cause(first, status, answer, probe.provider.judge(answer, probe.endpoint), probe.recipe)


def _sent_in_turn(probe: _Probe, request: Request, *made_up: str) -> Answer:
    """Send a further request; when another check has taken the turn in between, wait for it a little."""
    for _ in range(TURNS):
        try:
            return probe.send(request, *made_up)
        except Failure as failure:
            if failure.fault is not Fault.BUSY:
                raise
        time.sleep(TURN_SECONDS)
    return probe.send(request, *made_up)


def _with_list(probe: _Probe, proven: Judgement, request: Request) -> Judgement:
    """Return the proven judgement with the models of a second request. Without a list it stays proven."""
    try:
        listing = probe.provider.judge(_sent_in_turn(probe, request), probe.endpoint)
    except Failure:
        return proven
    facts = {**proven.facts, "count": len(listing.models)}
    return replace(proven, models=listing.models, facts=facts) if listing.models else proven


@sensitive_variables("echoes")
def _result(probe: _Probe, judgement: Judgement) -> Result:
    echoes = Echoes((probe.secret, probe.key))
    models = [name for name in judgement.models if name not in echoes]
    learned = {name: value for name, value in judgement.facts.items() if str(value) not in echoes}
    return Result(
        verdict=judgement.verdict.value,
        cause=judgement.cause,
        facts=_facts(probe, judgement.cause, learned),
        stages=outcomes.stages(probe.stages, judgement.cause, listed=bool(models), control_ms=probe.control_ms),
        url=probe.url,
        status=probe.status,
        provider_code="" if judgement.provider_code in echoes else judgement.provider_code,
        excerpt=probe.excerpt(judgement.excerpt_source),
        models_found=models,
        milliseconds=round((time.monotonic() - probe.started) * 1000),
    )


def _facts(probe: _Probe, cause: str, learned: Mapping[str, str | int]) -> dict[str, Any]:
    """Return what the sentence and the action of the cause are filled with: plain values, nothing secret."""
    host = addresses.host_of(probe.endpoint)
    found: dict[str, Any] = {
        "endpoint": probe.endpoint,
        "provider": probe.recipe.name if probe.recipe else host,
        "host": host,
        "host_port": addresses.host_and_port(probe.endpoint),
        "url": probe.url,
        "status": probe.status,
        "seconds": _seconds(probe),
        "link": _link(probe, cause),
        "container": _container(host),
        "status_page": _status_page(probe),
        **learned,
    }
    found["wait"] = f"; try again in {found['retry_after']} seconds" if found.get("retry_after") else ""
    found["fix"] = _fix(probe, cause, found)
    return {name: value for name, value in found.items() if value not in ("", None)}


def _seconds(probe: _Probe) -> int | str:
    if probe.fault not in {Fault.CONNECT_TIMEOUT, Fault.READ_TIMEOUT}:
        return ""
    last = probe.stages[-1].ms if probe.stages else None
    return max(1, round((last or (time.monotonic() - probe.started) * 1000) / 1000))


def _link(probe: _Probe, cause: str) -> str:
    action = causes.CAUSES[cause].action
    if probe.recipe is None or action.kind is not causes.ActionKind.LINK:
        return ""
    return probe.recipe.billing_url if action is causes.BILLING else probe.recipe.make_key_url


def _container(host: str) -> str:
    if host not in {"localhost", "127.0.0.1", "::1"}:
        return ""
    return ". Inside a container, localhost is the container itself: use a name such as host.docker.internal"


def _status_page(probe: _Probe) -> str:
    return f"; its status page is {probe.recipe.status_url}" if probe.recipe and probe.recipe.status_url else ""


def _fix(probe: _Probe, cause: str, facts: Mapping[str, Any]) -> str:
    """Return the endpoint that would most likely have worked, when it leads to another URL than this one; else ""."""
    if cause == "redirected":
        wanted = _redirect_target(probe, str(facts.get("location", "")))
    elif cause == "path_not_found":
        wanted = _other_path(probe)
    elif cause == "https_on_plain_port":
        wanted = f"http{probe.endpoint.removeprefix('https')}"
    elif cause == "http_on_tls_port":
        wanted = f"https{probe.endpoint.removeprefix('http')}"
    else:
        return ""
    try:
        fixed = outbound.check_shape(wanted) if wanted else ""
        same = not fixed or fixed == probe.endpoint or probe.provider.address(fixed) == probe.url
    except ShapeError:
        return ""
    return "" if same else fixed


def _redirect_target(probe: _Probe, location: str) -> str:
    """Return the base that a redirect on the same host leads to; another host is for a person to judge."""
    if addresses.host_of(location) != addresses.host_of(probe.endpoint):
        return ""
    examination = doctor.examine(location, probe.provider.type)
    return examination.normal or next((finding.fix for finding in examination.findings), "")


def _other_path(probe: _Probe) -> str:
    """Return the host's known base, else the endpoint with a version where it has none, or without where it has one."""
    if probe.recipe is not None and probe.recipe.base:
        return addresses.with_path(probe.endpoint, addresses.path_of(probe.recipe.base))
    path = addresses.path_of(probe.endpoint)
    shorter = addresses.without_version(path)
    return addresses.with_path(probe.endpoint, shorter if shorter != path else f"{path}/v1")
