"""The check itself: describe, send, judge, and prove by a made-up secret. It knows nothing of the database."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from ai_llm import causes, doctor, outcomes
from ai_llm.echoes import Echoes
from ai_llm.models import Verdict
from ai_llm.outcomes import Result
from ai_llm.providers import PROVIDERS, Judgement, Provider, Recipe, UnprovableError, addresses, control, vertex
from flashback import outbound
from flashback.outbound import Answer, Failure, Fault, Request, ShapeError, Stage

TOTAL_SECONDS = 10.0
# With less than this left, a further request could only run out of time.
LEAST_SECONDS = 0.5
TURNS, TURN_SECONDS = 20, 0.1


@dataclass
class Probe:
    """One running check: what it is about, and what it has learned. Its repr holds no secret."""

    provider: Provider
    endpoint: str
    recipe: Recipe | None
    origins: frozenset[str]
    slot: str
    secret: str = field(repr=False)
    key: str = field(repr=False)
    token: str = field(repr=False, default="")
    started: float = field(default_factory=time.monotonic)
    url: str = ""
    status: int | None = None
    stages: tuple[Stage, ...] = ()
    control_ms: float | None = None
    fault: Fault | None = None

    def seconds_left(self) -> float:
        return TOTAL_SECONDS - (time.monotonic() - self.started)

    @property
    def confidential(self) -> list[str]:
        return [text for text in (self.secret, self.key, self.token) if text]

    @property
    def keyless(self) -> bool:
        return not self.secret and not self.key

    def send(self, request: Request, *made_up: str) -> Answer:
        if self.seconds_left() < LEAST_SECONDS:
            raise Failure(Fault.READ_TIMEOUT)
        secrets = [*self.confidential, *filter(None, made_up)]
        total = self.seconds_left()
        return outbound.send(request, secrets=secrets, origins=self.origins, total=total, slot=self.slot)

    def stands_in(self, url: str) -> bool:
        return any(text in url or quote(text, safe="") in url for text in self.confidential)

    def excerpt(self, text: str) -> str:
        """Return provider text that may be shown. What an internal server says stays inside."""
        if not text or not addresses.is_public(addresses.host_of(self.endpoint)):
            return ""
        return outbound.redact(text, self.confidential)


@sensitive_variables("secret", "key", "probe")
def run(
    type: str,
    endpoint: str,
    secret: str,
    key: str,
    *,
    slot: str,
    bound_to: str = "",
    ask: "Callable[[Probe], Judgement] | None" = None,
    origins: Collection[str] = (),
) -> Result:
    """Check a credential at an endpoint and return what came of it, within 10 seconds. Stores nothing.

    An empty `secret` means that none is sent, for a type that may be keyless. `slot` names the workspace: two checks of
    one slot and host run at once, more end as too_many_checks. `bound_to` is the origin (scheme://host:port) that a
    stored secret belongs to; without it the secret was typed for this endpoint.
    `ask(probe)` sends and judges in the place of the free check, and may then call `origins` too.
    Whatever the other side does, the answer is a Result. Raises RuntimeError inside a database transaction.
    """
    provider = PROVIDERS[type]
    try:
        own = outbound.origin(endpoint)
    except ShapeError as error:
        return Result(Verdict.UNDECIDED, "endpoint_unusable", {"rule_message": error.message})
    allowed = frozenset({own, *provider.origins(endpoint), *origins})
    probe = Probe(provider, endpoint, provider.recipe(endpoint), allowed, slot, secret, key)
    if bound_to and bound_to != own:
        judgement = Judgement("secret_bound_elsewhere")
    elif not secret and not provider.may_be_keyless:
        judgement = Judgement("secret_missing")
    else:
        judgement = (ask or _judged)(probe)
    return _result(probe, judgement)


@sensitive_variables("requests")
def _judged(probe: Probe) -> Judgement:
    try:
        refused = without_token(probe)
        requests = probe.provider.describe(probe.endpoint, probe.token or probe.secret, probe.key)
    except UnprovableError as unprovable:
        return Judgement(unprovable.cause)
    return refused or _asked(probe, requests)


@sensitive_variables("requests")
def _asked(probe: Probe, requests: tuple[Request, ...]) -> Judgement:
    """Return what the answer to the first request means, proven where it needs a proof."""
    if any(probe.stands_in(request.url) for request in requests):
        return Judgement("secret_in_endpoint")
    answer = first_answer(probe, requests[0])
    if isinstance(answer, Judgement):
        return answer
    judgement = probe.provider.judge(answer, probe.endpoint)
    if len(requests) > 1 and judgement.models:
        return Judgement("unexpected_form")  # a list stands where the provider speaks about the key
    if probe.keyless:
        return replace(judgement, cause=control.without_secret(judgement, answer, probe.recipe, probe.endpoint))
    if control.needed(probe.recipe, judgement, answer.status):
        judgement = replace(judgement, cause=controlled(probe, judgement, answer.status))
    has_list = judgement.cause == "accepted" and len(requests) > 1
    return _with_list(probe, judgement, requests[-1]) if has_list else judgement


@sensitive_variables("trade", "found")
def without_token(probe: Probe) -> Judgement | None:
    """Trade the secret for a token where the provider wants that; return what ends the check when there is none."""
    trade = probe.provider.exchange(probe.endpoint, probe.secret)
    if trade is None:
        return None
    answer = first_answer(probe, trade.request)
    if isinstance(answer, Judgement):
        return answer
    found = trade.read(answer)
    if isinstance(found, Judgement):
        return found
    probe.token = found
    return None


def first_answer(probe: Probe, request: Request) -> Answer | Judgement:
    """Send what decides the check, and keep how it went; without an answer return what that means."""
    probe.url = request.url
    try:
        answer = probe.send(request)
    except Failure as failure:
        probe.stages, probe.fault = failure.stages, failure.fault
        return Judgement(causes.OF_FAULT[failure.fault])
    probe.status, probe.stages = answer.status, answer.stages
    return answer


@sensitive_variables("real", "wrong", "request", "secret", "key")
def controlled(
    probe: Probe,
    first: Judgement,
    status: int,
    *,
    describe: Callable[[str, str], Request] | None = None,
    judge: Callable[[Answer], Judgement] | None = None,
) -> str:
    """Return the cause after a second request with a made-up secret; a second key stays as it is.

    `describe(secret, key)` and `judge(answer)` take the place of the free check's own.
    """
    real = probe.token or probe.secret or probe.key
    wrong = control.made_up(real)
    secret, key = (wrong, probe.key) if probe.secret else ("", wrong)
    began = time.monotonic()
    try:
        request = describe(secret, key) if describe else probe.provider.describe(probe.endpoint, secret, key)[0]
        answer = sent_in_turn(probe, request, wrong)
    except Failure:
        return "control_unclear"
    finally:
        probe.control_ms = (time.monotonic() - began) * 1000
    second = judge(answer) if judge else probe.provider.judge(answer, probe.endpoint)
    return control.cause(first, status, answer, second, probe.recipe)


def sent_in_turn(probe: Probe, request: Request, *made_up: str) -> Answer:
    """Send a further request; when another check has taken the turn in between, wait for it a little."""
    for _ in range(TURNS):
        try:
            return probe.send(request, *made_up)
        except Failure as failure:
            if failure.fault is not Fault.BUSY:
                raise
        time.sleep(TURN_SECONDS)
    return probe.send(request, *made_up)


def _with_list(probe: Probe, proven: Judgement, request: Request) -> Judgement:
    """Return the proven judgement with the models of a second request. Without a list it stays proven."""
    try:
        models = probe.provider.judge(sent_in_turn(probe, request), probe.endpoint).models
    except Failure:
        models = ()
    cause = proven.cause if models else "accepted_without_list"
    return replace(proven, cause=cause, models=models, facts={**proven.facts, "count": len(models)})


@sensitive_variables("echoes")
def _result(probe: Probe, judgement: Judgement) -> Result:
    echoes = Echoes(probe.confidential)
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


def _facts(probe: Probe, cause: str, learned: Mapping[str, str | int]) -> dict[str, Any]:
    """Return what the sentence and the action of the cause are filled with: plain values, nothing secret."""
    host = addresses.host_of(probe.endpoint)
    found: dict[str, Any] = {
        "endpoint": probe.endpoint,
        "provider": probe.recipe.name if probe.recipe and not probe.recipe.keyless else host,
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


def _seconds(probe: Probe) -> int | str:
    if probe.fault not in {Fault.CONNECT_TIMEOUT, Fault.READ_TIMEOUT}:
        return ""
    last = probe.stages[-1].ms if probe.stages else None
    return max(1, round((last or (time.monotonic() - probe.started) * 1000) / 1000))


def _link(probe: Probe, cause: str) -> str:
    action = causes.CAUSES[cause].action
    if probe.recipe is None or action.kind is not causes.ActionKind.LINK:
        return ""
    others = {causes.BILLING: probe.recipe.billing_url, causes.STATUS: probe.recipe.status_url}
    return others.get(action, probe.recipe.make_key_url)


def _container(host: str) -> str:
    if host not in {"localhost", "127.0.0.1", "::1"}:
        return ""
    return ". Inside a container, localhost is the container itself: use a name such as host.docker.internal"


def _status_page(probe: Probe) -> str:
    return f"; its status page is {probe.recipe.status_url}" if probe.recipe and probe.recipe.status_url else ""


def _fix(probe: Probe, cause: str, facts: Mapping[str, Any]) -> str:
    """Return the endpoint that would most likely have worked, when it leads to another URL than this one; else ""."""
    if cause == "service_account_elsewhere":
        wanted = vertex.DEFAULT_ENDPOINT
    elif cause == "redirected":
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


def _redirect_target(probe: Probe, location: str) -> str:
    """Return the base that a redirect on the same host leads to; another host is for a person to judge."""
    if addresses.host_of(location) != addresses.host_of(probe.endpoint):
        return ""
    examination = doctor.examine(location, probe.provider.type)
    return examination.normal or next((finding.fix for finding in examination.findings), "")


def _other_path(probe: Probe) -> str:
    """Return the host's known base, else the endpoint with a version where it has none, or without where it has one."""
    if probe.recipe is not None and probe.recipe.base:
        return addresses.with_path(probe.endpoint, addresses.path_of(probe.recipe.base))
    path = addresses.path_of(probe.endpoint)
    shorter = addresses.without_version(path)
    return addresses.with_path(probe.endpoint, shorter if shorter != path else f"{path}/v1")
