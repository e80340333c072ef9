"""What the API's operations on AI LLMs, their checks and provider keys answer. None of it holds a secret or a key."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from ai_llm.api_schemas import AI, LATER, STATE_HELP
from flashback.schemas import EXAMPLE_ID, EXAMPLE_MOMENT, Counter, Output, Success, is_none


class RepoOfAiLlm(Output):
    """A repository that uses an AI LLM."""

    id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])
    name: str = Field(description="Its name.", examples=["chat-production"])
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])


class AiLlmShown(Output):
    """An AI LLM. No answer holds its secret or key."""

    id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])
    org_id: UUID = Field(description="The organization.", examples=[EXAMPLE_ID])
    workspace_id: UUID = Field(description="The workspace.", examples=[EXAMPLE_ID])
    user_id: UUID | None = Field(description="Who made it; null when they left.", examples=[EXAMPLE_ID])
    name: str = Field(description="Its Configuration Name.", examples=["prod-openai"])
    ai_type: str = Field(description="Its AI LLM Type.", examples=["OPENAI"])
    endpoint: str = Field(description="Its API Endpoint.", examples=["https://api.openai.com/v1"])
    key: None = Field(default=None, description="Always null: nothing of a credential is answered.", examples=[None])
    # The client's type says that it may be missing, not that it may be null.
    api_key_id: UUID | None = Field(
        default=None,
        exclude_if=is_none,
        description="The provider key that it uses; absent with an own secret.",
        examples=[EXAMPLE_ID],
    )
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])
    repos: list[RepoOfAiLlm] = Field(description="The repositories that use it, by name.")
    state: str = Field(description=STATE_HELP.capitalize(), examples=["accepted"])
    checked_at: datetime | None = Field(
        description="When the check ran that decided the state; null before the first.", examples=[EXAMPLE_MOMENT]
    )
    cause: str | None = Field(description="What that check found, as a word for programs.", examples=["accepted"])
    keyless: bool = Field(description="Whether it needs no secret.", examples=[False])
    secret_hint: str | None = Field(
        description="The last four characters of the secret, when it has 20 or more.", examples=["cdef"]
    )
    secret_set_at: datetime | None = Field(description="When the secret was stored.", examples=[EXAMPLE_MOMENT])
    expires_at: datetime | None = Field(description="When the provider stops taking the secret.", examples=[LATER])
    rotate_every_days: int | None = Field(description="The rotation rule, in days.", examples=[90])
    due_at: datetime | None = Field(
        description="When the secret should be replaced, by its expiry or the rule.", examples=[LATER]
    )
    former_until: datetime | None = Field(
        description="Until when the former secret can be returned to; null when there is none.", examples=[None]
    )
    waiting_until: datetime | None = Field(
        description="Until when a secret whose test failed waits for a decision; null when none does.", examples=[None]
    )
    notes: str = Field(description="What people noted about it.", examples=["Ask the platform team."])
    disabled_at: datetime | None = Field(description="Since when it is disabled; null when it is not.", examples=[None])
    scheduled_checks: bool = Field(description="Whether scheduled checks include it.", examples=[True])
    changed_at: datetime = Field(description="When it was last changed.", examples=[EXAMPLE_MOMENT])
    version: int = Field(description="Counts its changes; the ETag follows it.", examples=[1])


class AiLlmSaved(Success):
    """The AI LLM is stored."""

    ai_llm_id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])


class AiLlmList(Success):
    """AI LLMs."""

    ai_llms: list[AiLlmShown] = Field(description="The AI LLMs, in the order that was asked for.")
    total: int = Field(description="How many there are without page, skip and take.", examples=[1])


class AiLlmDetail(Success):
    """One AI LLM."""

    ai_llm: AiLlmShown = Field(description="The AI LLM.")


class AiLlmFigures(Output):
    """What went through one AI LLM, as decimal numbers in text."""

    ai_llm_id: UUID = Field(description="The AI LLM.", examples=[EXAMPLE_ID])
    total_api_calls: Counter = Field(default="0", description="Calls.", examples=["0"])
    total_tokens_in: Counter = Field(default="0", description="Tokens of requests.", examples=["0"])
    total_tokens_out: Counter = Field(default="0", description="Tokens of answers.", examples=["0"])
    total_llm_tokens_in: Counter = Field(default="0", description="Tokens into policy checks.", examples=["0"])
    total_llm_tokens_out: Counter = Field(default="0", description="Tokens out of policy checks.", examples=["0"])
    total_policy_violations: Counter = Field(default="0", description="Policy violations.", examples=["0"])
    total_alerts: Counter = Field(default="0", description="Policy alerts.", examples=["0"])
    total_blocks: Counter = Field(default="0", description="Blocked calls.", examples=["0"])


class AiLlmStats(Success):
    """Figures of AI LLMs."""

    stats: list[AiLlmFigures] = Field(description="One entry for each AI LLM, the newest first.")


class Stage(Output):
    """One step of a check."""

    name: str = Field(description="Its name.", examples=["credential"])
    label: str = Field(description="Its name for people.", examples=["Credential"])
    state: str = Field(description="passed, failed, skipped, limited or undecided.", examples=["passed"])
    ms: int | None = Field(description="How long it took, in milliseconds.", examples=[12])


class Action(Output):
    """The one thing to do about what a check found."""

    kind: str = Field(
        description="link, url-fix, retry, ask-operator, replace-secret, edit-endpoint or message.", examples=["retry"]
    )
    label: str = Field(description="What to do, for people.", examples=["Validate again"])
    url: str = Field(description="Where a link leads; may be empty.", examples=[""])
    endpoint: str = Field(description="The corrected API Endpoint of a url-fix; may be empty.", examples=[""])
    after: int = Field(description="In how many seconds a retry makes sense.", examples=[0])


class Finding(Output):
    """What a check found."""

    verdict: str = Field(description="accepted, limited, rejected or undecided.", examples=["accepted"])
    cause: str = Field(description="What was found, as a word for programs.", examples=["accepted"])
    headline: str = Field(description="What was found, in a few words.", examples=["The connection works"])
    sentence: str = Field(
        description="What was found, in a sentence.", examples=["OpenAI accepts this credential and lists 40 models."]
    )
    action: Action = Field(description="What to do about it.")
    stages: list[Stage] = Field(description="The steps of the check, in order.")
    url: str = Field(
        description="The exact address that was asked; empty when none was.",
        examples=["https://api.openai.com/v1/models"],
    )
    status: int | None = Field(description="The HTTP status that the provider answered.", examples=[200])
    provider_code: str = Field(description="The provider's own error code; may be empty.", examples=["invalid_api_key"])
    excerpt: str | None = Field(
        description="The provider's words without anything secret; null for those who only read.", examples=[""]
    )
    models: list[str] = Field(description="The first of the models that were found.", examples=[["gpt-4o-mini"]])
    model_count: int = Field(description="How many models were found.", examples=[40])
    milliseconds: int = Field(description="How long the check took.", examples=[120])


class CheckShown(Finding):
    """One check that was kept."""

    id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])
    at: datetime = Field(description="When it ran.", examples=[EXAMPLE_MOMENT])
    user_id: UUID | None = Field(description="Who ran it; null for a scheduled one.", examples=[EXAMPLE_ID])
    scheduled: bool = Field(description="Whether it was a scheduled one.", examples=[False])
    kind: str = Field(description="free, or message for one tiny message.", examples=["free"])


class Outcome(Finding):
    """The result of a check. The status is 200 for every verdict; `success` tells them apart."""

    success: bool = Field(description="Whether the credential works.", examples=[True])
    message: str = Field(
        description="What was found, and the provider's error, for people.",
        examples=["The connection works. OpenAI accepts this credential and lists 40 models."],
    )


class Validated(Outcome):
    """The result of a check of a stored AI LLM."""

    ai_llm_id: UUID = Field(description="The AI LLM.", examples=[EXAMPLE_ID])
    check_id: UUID = Field(description="The check that was kept.", examples=[EXAMPLE_ID])
    state: str = Field(description="The state of the AI LLM after it.", examples=["accepted"])


class DiagnosticsShown(Success):
    """What a ticket about an AI LLM needs to know."""

    diagnostics: dict[str, Any] = Field(
        description="Times, state and latest checks, by name.", examples=[{"made_at": EXAMPLE_MOMENT, "checks": []}]
    )


class Rotated(Success):
    """What came of a rotation. `success` is false while the new secret waits for a decision."""

    ai_llm_id: UUID = Field(description="The AI LLM.", examples=[EXAMPLE_ID])
    took_over: bool = Field(description="Whether the new secret is in use now.", examples=[True])
    former_until: datetime | None = Field(
        description="Until when the former secret can be returned to.", examples=[EXAMPLE_MOMENT]
    )
    waiting_until: datetime | None = Field(description="Until when the new secret waits.", examples=[None])
    check: Finding | None = Field(description="What the test of the new secret found.")


class CheckList(Success):
    """The checks of an AI LLM."""

    checks: list[CheckShown] = Field(description="The newest first.")
    total: int = Field(description="How many are kept.", examples=[1])


class ProviderKeyShown(Output):
    """A provider key. No answer holds its secret."""

    id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])
    workspace_id: UUID = Field(description="The workspace.", examples=[EXAMPLE_ID])
    name: str = Field(description="Its name.", examples=["team"])
    key: str = Field(description="******** when an API Key is stored, else empty.", examples=["********"])
    provider: str = Field(description="OPENAI, GCP, ANTHROPIC, AWS or OTHER.", examples=["OPENAI"])
    ai_type: str = Field(description="The AI LLM Type that it is for.", examples=["OPENAI"])
    endpoint: str = Field(description="Where it goes.", examples=["https://api.openai.com/v1"])
    region: str = Field(description="May be empty.", examples=["us-east-1"])
    tenant_id: str = Field(description="May be empty.", examples=[""])
    subscription_id: str = Field(description="May be empty.", examples=[""])
    description: str = Field(description="May be empty.", examples=["Key of the platform team"])
    secret_hint: str | None = Field(
        description="The last four characters of the secret, when it has 20 or more.", examples=["cdef"]
    )
    secret_set_at: datetime = Field(description="When the secret was stored.", examples=[EXAMPLE_MOMENT])
    expires_at: datetime | None = Field(description="When the provider stops taking it.", examples=[LATER])
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])
    bucket_count: int = Field(default=0, alias="bucket_count", description="Always 0.", examples=[0])
    aillm_count: int = Field(alias="aillm_count", description="How many AI LLMs use it.", examples=[2])


class ProviderKeySaved(Success):
    """The provider key is stored."""

    api_key_id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])


class ProviderKeyList(Success):
    """Provider keys, the newest first."""

    api_keys: list[ProviderKeyShown] = Field(description="The provider keys.")


class ProviderKeyDetail(Success):
    """One provider key."""

    api_key: ProviderKeyShown = Field(description="The provider key.")


class ProviderShown(Output):
    """One kind of provider."""

    id: str = Field(description="The name that /apikeys takes as provider.", examples=["OPENAI"])
    name: str = Field(description="Its name for people.", examples=["OpenAI"])
    ai_type: str = Field(description="Its AI LLM Type.", examples=["OPENAI"])
    summary: str = Field(description="What it is for.", examples=["OpenAI itself, and hosts like it."])
    default_endpoint: str = Field(
        description="Where its keys go unless it is said; may be empty.", examples=["https://api.openai.com/v1"]
    )
    key_name: str = Field(description="What the provider calls the API Key.", examples=["not used"])
    secret_name: str = Field(description="What the provider calls the API Secret.", examples=["secret key"])
    make_key_url: str = Field(
        description="Where to make a key; may be empty.", examples=["https://platform.openai.com/api-keys"]
    )
    capabilities: int = Field(
        default=AI, description="Bit mask: 1 storage, 2 AI, 4 cloud. All of ours are AI.", examples=[AI]
    )
    grouping_types: list[Any] = Field(default_factory=list, description="Always empty.", examples=[[]])


class ProviderList(Success):
    """The kinds of providers."""

    providers: list[ProviderShown] = Field(description="In the order of the wizard.")
