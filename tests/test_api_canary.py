"""The canary sweep of the API: plant a secret by every call that takes one, then look for it in every answer."""

import io
from typing import Any

import pytest

from ai_llm.models import AiLlm
from ai_llm.sandbox import Sandbox
from tests.api import Api
from tests.conftest import People
from tests.test_canary import CANARY, KEY_CANARY, answer_of, damage_one, leaks, log, stored
from workspaces import tokens

__all__ = ["log"]  # a fixture
FAULTS = ("openai", "echo", "html", "other-json", "status-500")
BOTH = {"secret": CANARY, "key": KEY_CANARY}


class Sweep:
    """One caller's requests; every answer with anything of the canaries in it is kept."""

    def __init__(self, who: Any) -> None:
        self.api, self.found, self.asked = Api(who), list[tuple[str, list[str]]](), 0

    def __call__(self, method: str, path: str, body: Any = ..., **headers: str) -> dict[str, Any]:
        answer = self.api(method, path, body, **headers)
        self.asked += 1
        assert answer.status_code < 500, (method, path, answer.content)
        if seen := leaks(answer_of(answer)):
            self.found.append((f"{method} {path}", seen))
        return answer.json()


@pytest.mark.django_db(transaction=True)
def test_the_canary_is_in_no_answer(people: People, settings: object, log: io.StringIO) -> None:
    place = str(people.workspace.pk)
    with Sandbox() as sandbox:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{sandbox.port}"]
        writer = Sweep(people.writer)
        for fault in FAULTS:
            plant(writer, place, fault, sandbox.url(f"/{fault}/v1"))
        refuse(writer, place, sandbox.url("/openai/v1"))
        sent = [request for request in sandbox.requests if CANARY in (request.header("authorization") or "")]
        assert sent, "the canary never reached the provider: the sweep checked nothing"
    assert writer.found == []
    damage_one()
    scopes = [tokens.create(people.admin, workspace=people.workspace, name=s, scope=s).text for s in ("read", "write")]
    everybody = (people.owner, people.admin, people.reader, people.outsider, people.stranger, None, "junk", *scopes)
    for who in everybody:
        caller = Sweep(who)
        read_everything(caller)
        assert caller.found == [], who
        assert caller.asked > 20
    assert leaks(log.getvalue()) == []
    assert leaks(stored()) == []


def plant(writer: Sweep, place: str, name: str, endpoint: str) -> None:
    """Create, test, validate, change and rotate, with an own secret and with a provider key."""
    where = {"aiType": "OTHER", "workspaceId": place, "endpoint": endpoint}
    row = writer("POST", "/ai/llm", {**where, "name": name, **BOTH})["aiLlmId"]
    key = {"provider": "OTHER", "workspaceId": place, "endpoint": endpoint, "name": name, **BOTH}
    key_id = writer("POST", "/apikeys", key)["apiKeyId"]
    writer("POST", "/ai/llm", {**where, "name": f"{name} shared", "apiKeyUuid": key_id})
    writer("POST", "/ai/llm/test", {**where, **BOTH})
    writer("POST", "/ai/llm/test", {"aiLlmId": row})
    for path in ("validate", "rotate/retry", "rotate/take-over", "return", "retire"):
        writer("POST", f"/ai/llm/{row}/{path}")
    writer("POST", f"/ai/llm/{row}/rotate", {"secret": f"{CANARY}", "keep": "7d"})
    writer("PUT", f"/ai/llm/{row}", BOTH)
    writer("PUT", f"/apikeys/{key_id}", BOTH)


def refuse(writer: Sweep, place: str, endpoint: str) -> None:
    """Send the canary where it is refused: masked, labelled, torn, beside unknown fields, as other kinds of values."""
    good = {"aiType": "OTHER", "workspaceId": place, "endpoint": endpoint, "name": "refused", **BOTH}
    row = AiLlm.objects.order_by("created_at")[0]
    for change in (
        {"secret": f"Bearer {CANARY}"}, {"secret": f'"{CANARY}"'}, {"secret": f"{CANARY} {CANARY}"},
        {"secret": [CANARY]}, {"secret": {"a": CANARY}}, {"endpoint": f"https://x:{CANARY}@api.example.com/v1"},
        {"endpoint": f"{endpoint}?key={CANARY}"}, {"aiType": CANARY}, {"workspaceId": CANARY}, {"apiKeyUuid": CANARY},
        {"surprise": CANARY}, {"name": 7}, {"keyless": CANARY},
    ):  # fmt: skip
        for method, path in (("POST", "/ai/llm"), ("PUT", f"/ai/llm/{row.pk}"), ("POST", "/ai/llm/test")):
            writer(method, path, {**good, **change})
    for body in (f'{{"secret":"{CANARY}"', f'{{"secret":"{CANARY}","secret":"{CANARY}"}}', f'"{CANARY}"', CANARY):
        writer("POST", "/ai/llm", body)
    writer("POST", "/ai/llm", good, **{"Content-Type": "text/plain"})
    writer("GET", f"/ai/llm?workspaceId={CANARY}&state={CANARY}")


def read_everything(caller: Sweep) -> None:
    """All that can be read, and changes that most may not make."""
    for path in ("/ai/llm", "/ai/llm/available", "/ai/llm/stats", "/apikeys", "/providers", "/user/profile", "/repo"):
        caller("GET", path)
    for row in AiLlm.objects.all():
        for path in ("", "/checks"):
            caller("GET", f"/ai/llm/{row.pk}{path}")
        caller("PUT", f"/ai/llm/{row.pk}", {"name": f"x {row.pk}", "surprise": True})
        caller("POST", f"/ai/llm/{row.pk}/rotate", {"secret": f"Bearer {CANARY}"})
    caller("POST", "/systemevent", {"take": 100})
