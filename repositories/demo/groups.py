"""The repositories of the sample, what is attached to them, and their AI API keys."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from ai_llm.models import AiLlm
from repositories import attachments, keys, repos
from repositories.demo.people import PRODUCTION, RESEARCH, Cast
from repositories.models import AiApiKey, KeySecret, Repository
from workspaces.models import User


@dataclass(frozen=True)
class Key:
    """One AI API key. `used` is how many minutes ago it was last sent, 0 for never; `then` is what happens to it."""

    name: str
    type: str = "OPENAI"
    patterns: tuple[str, ...] = ()
    expires_in: int = 0
    used: int = 0
    then: str = ""


@dataclass(frozen=True)
class Group:
    """One repository, with the names of the AI LLMs attached to it in their order of preference."""

    name: str
    description: str
    attached: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    by: str = "Priya"
    disabled: bool = False
    workspace: str = PRODUCTION


GROUPS = (
    Group(
        "customer-support-assistant",
        "Answers tickets; falls back to Claude, then to Bedrock.",
        ("prod-openai-gateway", "claude-production", "bedrock-eu-central"),
        (
            Key("helpdesk-production", used=2, then="rotate"),
            Key("helpdesk-staging", patterns=("gpt-4o-mini", "claude-*"), used=190),
            Key("load-test-june", expires_in=5),
            Key("former-vendor", then="revoke"),
        ),
    ),
    Group(
        "document-search",
        "Embeddings and short answers over the handbook.",
        ("openai-embeddings", "gemini-document-search"),
        (Key("search-indexer", patterns=("text-embedding-*",), used=24), Key("search-web", "GOOGLE", used=1500)),
        by="Tom",
    ),
    Group(
        "nightly-batch",
        "Summaries that nobody waits for.",
        ("mistral-nightly-batch", "vllm-on-premises"),
        (Key("scheduler", used=700),),
    ),
    Group("campaign-texts", "Waits for the new team.", by="Walter", disabled=True),
    Group("prototypes", "For trying things out.", ("ollama-lab", "huggingface-prototypes"), (Key("notebooks"),),
          by="Tom", workspace=RESEARCH),
)  # fmt: skip


def make(cast: Cast, ai_llms: dict[str, AiLlm]) -> None:
    """Make the repositories that are missing, attach to them, and hand out their keys; nobody sees these."""
    for group in GROUPS:
        workspace, actor = cast.workspaces[group.workspace], cast.people[group.by]
        if Repository.objects.of(workspace).filter(name=group.name).exists():
            continue
        row = repos.create(actor, workspace, name=group.name, description=group.description)
        if group.attached:
            attachments.attach(actor, row, [ai_llms[name].pk for name in group.attached])
        for key in group.keys:
            _make(actor, row, key)
        if group.disabled:
            repos.disable(actor, row)


def _make(actor: User, repository: Repository, key: Key) -> None:
    ends = timezone.now() + timedelta(days=key.expires_in) if key.expires_in else None
    made = keys.create(actor, repository, name=key.name, type=key.type, expires_at=ends, patterns=key.patterns).key
    if key.then == "rotate":
        keys.rotate(actor, made, until=timezone.now() + timedelta(days=2))
    if key.then == "revoke":
        keys.revoke(actor, made)
    if key.used:
        _use(made, key.used)


def _use(key: AiApiKey, minutes: int) -> None:
    """Note a use of the current secret, which no application has."""
    moment = timezone.now() - timedelta(minutes=minutes)
    KeySecret.objects.filter(key=key, ends_at=None).update(last_used_at=moment)
