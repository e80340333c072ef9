"""The AI LLMs of the sample: one row each, in every state that there is."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from ai_llm import configs, credentials, lifecycle, provider_keys, rotation, validation
from ai_llm.models import AiLlm, Credential
from ai_llm.sandbox import SECRETS, vertex
from repositories.demo import past
from repositories.demo.people import PRODUCTION, RESEARCH, Cast
from workspaces.models import User

NO_CREDIT = "sandbox-secret-no-credit-0123456789abcdef"
REVOKED = "sandbox-openai-secret-revoked-0123456789"


@dataclass(frozen=True)
class Connection:
    """One AI LLM to make. `path` is that of its personality at the sandbox provider.

    `past` has one letter for each earlier check, the oldest first: those of `past.LETTERS`. `age` is in days.
    `then` names what happens to it once it is there, one of ACTS.
    """

    name: str
    type: str
    path: str
    secret: str = SECRETS.openai
    key: str = ""
    keyless: bool = False
    by: str = "Priya"
    age: int = 60
    past: str = ""
    then: str = "validate"
    notes: str = ""
    expires_in: int = 0
    rotate_every: int = 0
    workspace: str = PRODUCTION


def _key_file(name: str) -> str:
    return json.dumps(vertex.key_file(name))


def connections() -> list[Connection]:
    """Return the rows, in the order in which they are made."""
    return [
        Connection("prod-openai-gateway", "OPENAI", "/openai/v1", age=210, past="aaaabaaaaaaaaaaaauaaaaaaaaaa",
                   rotate_every=365, expires_in=240,
                   notes="The first choice of the support assistant. Owner: platform team."),
        Connection("openai-embeddings", "OPENAI", "/openai/v1", by="Tom", age=41, past="aaaaaaaaaaaa", expires_in=6),
        Connection("claude-production", "ANTHROPIC", "/anthropic/v1", SECRETS.anthropic, age=120,
                   past="aaaaaaaaaaaaaaaauuaaaaaaa", then="rotate",
                   notes="Rotated by hand each quarter; the former secret stays for a week."),
        Connection("gemini-document-search", "GOOGLE", "/gemini/v1beta", SECRETS.gemini, by="Tom", age=75,
                   past="aaaaaaaaaaaaaa"),
        Connection("vertex-analytics", "GOOGLE", "/vertex", _key_file("service-account-without-role"), age=12,
                   past="ll"),
        Connection("bedrock-eu-central", "AWS", "/bedrock/us-east-1", SECRETS.aws_secret_access_key,
                   SECRETS.aws_access_key_id, age=183, past="aaaaaaaaaaaaaaaaaaaaaaa", rotate_every=180),
        Connection("azure-openai-finance", "OTHER", "/azure/openai/v1", by="Walter", age=33, past="aaaaaaaa",
                   then="wait", notes="A new secret waits until finance has switched it on."),
        Connection("openrouter-experiments", "OTHER", "/openrouter/api/v1", NO_CREDIT, by="Tom", age=90,
                   past="aaaaaaaaaaaaaall"),
        Connection("mistral-nightly-batch", "OTHER", "/mistral/v1", REVOKED, age=64,
                   past="aaaaaaaaaaaaaaaar", then="again"),
        Connection("deepseek-evaluation", "OTHER", "/down/v1", by="Tom", age=20, past="aaaaaau"),
        Connection("vllm-on-premises", "OTHER", "/vllm/v1", age=48, past="aaaaaaauaaa"),
        Connection("marketing-content-generation-fallback-for-campaigns-in-europe", "OTHER", "/groq/openai/v1",
                   by="Walter", age=3, then="leave"),
        Connection("contractor-gateway", "OTHER", "/openai/v1", age=300, past="aaaaaa", then="lose"),
        Connection("legacy-proxy", "OPENAI", "/openai/v1", by="Walter", age=400, past="aaaaaaaaab", then="disable",
                   notes="Replaced by prod-openai-gateway; kept until the audit in autumn."),
        Connection("old-trial-account", "OPENAI", "/openai/v1", by="Tom", age=45, then="delete"),
        Connection("ollama-lab", "OTHER", "/ollama/v1", "", keyless=True, by="Tom", age=14, past="aaaa",
                   workspace=RESEARCH),
        Connection("huggingface-prototypes", "OTHER", "/hugging-face/v1", age=9, past="aaa", workspace=RESEARCH),
        Connection("public-model-catalogue", "OTHER", "/public-list/v1", by="Tom", age=5, workspace=RESEARCH),
    ]  # fmt: skip


def make(cast: Cast, origin: str) -> dict[str, AiLlm]:
    """Make the AI LLMs that are missing and let happen what their rows say; return all of them by name."""
    for row in connections():
        workspace, actor = cast.workspaces[row.workspace], cast.people[row.by]
        if row.then == "delete" and AiLlm.objects.filter(workspace=workspace, name=row.name).exists():
            continue
        if not AiLlm.objects.of(workspace).filter(name=row.name).exists():
            _make(row, actor, cast, origin)
    _share_a_key(cast, origin)
    rows = AiLlm.objects.filter(workspace__in=cast.workspaces.values(), deleted_at=None)
    return {ai_llm.name: ai_llm for ai_llm in rows.select_related("workspace")}


def _share_a_key(cast: Cast, origin: str) -> None:
    workspace, name = cast.workspaces[PRODUCTION], "openai-shared"
    if not Credential.objects.filter(workspace=workspace, name=name).exists():
        provider_keys.create(
            cast.people["Priya"],
            workspace,
            provider="OPENAI",
            secret=SECRETS.openai,
            name=name,
            endpoint=f"{origin}/openai/v1",
            description="For every team's first try.",
        )


def _make(row: Connection, actor: User, cast: Cast, origin: str) -> None:
    ai_llm = configs.create(
        actor,
        cast.workspaces[row.workspace],
        id=uuid4(),
        type=row.type,
        name=row.name,
        endpoint=f"{origin}{row.path}",
        secret=row.secret,
        key=row.key,
        keyless=row.keyless,
    )
    past.age(ai_llm, row.age)
    if row.notes or row.expires_in or row.rotate_every:
        _describe(row, actor, ai_llm)
    if row.then != "leave":
        validation.validate(actor, ai_llm)
        past.imagine_checks(ai_llm, row.past, row.age)
    ACTS.get(row.then, _nothing)(actor, AiLlm.objects.select_related("workspace", "credential").get(pk=ai_llm.pk))


def _describe(row: Connection, actor: User, ai_llm: AiLlm) -> None:
    ends = timezone.now() + timedelta(days=row.expires_in) if row.expires_in else None
    values: dict[str, Any] = {"expires_at": ends, "rotate_every_days": row.rotate_every or None}
    found = AiLlm.objects.select_related("workspace", "credential").get(pk=ai_llm.pk)
    configs.update(
        actor, found, name=row.name, endpoint=found.endpoint, version=found.version, notes=row.notes, **values
    )


def _nothing(_actor: User, _ai_llm: AiLlm) -> None:
    """Leave it as the check left it."""


def _again(actor: User, ai_llm: AiLlm) -> None:
    validation.validate(actor, ai_llm)


def _rotate(actor: User, ai_llm: AiLlm) -> None:
    rotation.rotate(actor, ai_llm, secret=SECRETS.anthropic, keep="7d")


def _wait(actor: User, ai_llm: AiLlm) -> None:
    rotation.rotate(actor, ai_llm, secret=REVOKED, keep="24h")


def _lose(_actor: User, ai_llm: AiLlm) -> None:
    """Purge the secret as the loss of a key would: the row stays and asks for it again."""
    if ai_llm.credential is not None:
        credentials.purge(Credential.objects.get(pk=ai_llm.credential.pk))


def _disable(actor: User, ai_llm: AiLlm) -> None:
    lifecycle.disable(actor, ai_llm)


def _delete(actor: User, ai_llm: AiLlm) -> None:
    configs.delete(actor, ai_llm)


ACTS: dict[str, Callable[[User, AiLlm], None]] = {
    "again": _again,
    "rotate": _rotate,
    "wait": _wait,
    "lose": _lose,
    "disable": _disable,
    "delete": _delete,
}
