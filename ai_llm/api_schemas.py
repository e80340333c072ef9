"""What the API's operations on AI LLMs, their checks and provider keys take: queries and bodies."""

from typing import Literal

from pydantic import Field

from flashback.schemas import EXAMPLE_ID, CommaList, Filters, Id, Input, Moment, OptionalId

LATER = "2027-03-31T23:59:59.000Z"
AI = 2  # the bit of AI in the mask of capabilities
TypeName = Literal["OPENAI", "GOOGLE", "ANTHROPIC", "AWS", "OTHER"]
ProviderName = Literal["OPENAI", "GOOGLE", "GCP", "ANTHROPIC", "AWS", "OTHER"]
Keep = Literal["none", "1h", "24h", "7d"]
Order = Literal["name", "-name", "newest", "oldest"]
StateName = Literal["accepted", "limited", "rejected", "undecided", "never", "unavailable", "disabled", "due", "unused"]
STATE_HELP = (
    "accepted, limited, rejected or undecided (the verdict of the check that decided), never (not validated yet), "
    "unavailable (its secret has to be entered again) or disabled"
)


class Paged(Filters):
    """The part of a long list that is asked for."""

    skip: int = Field(
        default=0, ge=0, le=1_000_000, description="How many to leave out from the beginning.", examples=[0]
    )
    take: int = Field(default=50, ge=1, le=100, description="How many to answer at most.", examples=[50])


class AiLlmFilters(Filters):
    """Which AI LLMs are asked for, and in which order."""

    workspace_id: str | None = Field(default=None, description="Only those of this workspace.", examples=[EXAMPLE_ID])
    q: str | None = Field(
        default=None, max_length=120, description="Only those with this in their name or endpoint.", examples=["prod"]
    )
    ai_type: CommaList = Field(
        default_factory=list, description="Only those of these types, joined with commas.", examples=[["OPENAI", "AWS"]]
    )
    state: StateName | None = Field(
        default=None,
        description=f"Only those in this state: {STATE_HELP}. Also due (secret to replace within 30 days) and unused "
        "(in no repository, and older than 7 days).",
        examples=["rejected"],
    )
    sort: Order = Field(default="newest", description="The order of the answer.", examples=["name"])
    page: int | None = Field(
        default=None, ge=1, le=100_000, description="Which page of `take` entries, from 1; not together with skip.",
        examples=[1],
    )  # fmt: skip
    skip: int = Field(
        default=0, ge=0, le=1_000_000, description="How many to leave out from the beginning.", examples=[0]
    )
    take: int | None = Field(
        default=None, ge=1, le=1000, description="How many to answer at most; all unless given, 50 with page.",
        examples=[50],
    )  # fmt: skip


class StatsFilters(Filters):
    """Whose figures are asked for."""

    ai_llm_id: str | None = Field(default=None, description="Only those of this AI LLM.", examples=[EXAMPLE_ID])


class KeyFilters(Filters):
    """Which provider keys are asked for."""

    workspace_id: str | None = Field(default=None, description="Only those of this workspace.", examples=[EXAMPLE_ID])
    capability: int | None = Field(
        default=None, ge=0, le=255, description="Bit mask: 1 storage, 2 AI, 4 cloud, 255 all. All of ours are AI.",
        examples=[2],
    )  # fmt: skip
    provider: str | None = Field(
        default=None, description="Only those of this provider (OPENAI, GCP, ANTHROPIC, AWS, OTHER).", examples=["AWS"]
    )


# --- Bodies -----------------------------------------------------------------------------------------------------------

Secret = Field(
    default=None,
    description="The API Secret: the provider's secret or token. It is sealed, and never answered.",
    examples=["sk-proj-…"],
)
Key = Field(
    default=None,
    description="The API Key, where the provider has one beside the secret (AWS: the access key id). Sealed too.",
    examples=[None],
)
Endpoint = Field(
    default=None,
    description="The API Endpoint: the provider's base URL with https://, host, and the path with /v1 when needed.",
    examples=["https://api.openai.com/v1"],
)
KeyId = Field(
    default=None,
    description="A provider key to use in the place of an own key and secret; see /apikeys.",
    examples=[None],
)
Name = Field(description="Configuration Name, unique in its workspace, 1 to 120 characters.", examples=["prod-openai"])
KEYLESS = "True for an endpoint of the type OTHER that checks no keys; then nothing is stored."


class NewAiLlm(Input):
    """A new AI LLM."""

    name: str = Name
    ai_type: TypeName = Field(description="AI LLM Type: the provider compatibility group.", examples=["OPENAI"])
    workspace_id: Id = Field(description="The workspace it will be in.", examples=[EXAMPLE_ID])
    endpoint: str | None = Endpoint
    key: str | None = Key
    secret: str | None = Secret
    api_key_uuid: OptionalId = KeyId
    keyless: bool = Field(default=False, description=KEYLESS, examples=[False])


class AiLlmChange(Input):
    """What is to be different in an AI LLM; what is absent stays as it is."""

    name: str | None = Field(default=None, description="Unique in the workspace.", examples=["prod-openai"])
    ai_type: TypeName | None = Field(
        default=None, description="Another type demands the secret again.", examples=["OPENAI"]
    )
    endpoint: str | None = Field(
        default=None,
        description="Another protocol, host, port or path demands the secret again; only a slash at the end or the "
        "version may change without it.",
        examples=["https://api.openai.com/v1"],
    )
    key: str | None = Field(default=None, description="The API Key; null removes it.", examples=[None])
    secret: str | None = Field(
        default=None, description="A new API Secret takes the place of the old one for good.", examples=["sk-proj-…"]
    )
    api_key_uuid: OptionalId = Field(
        default=None,
        description="A provider key to use instead; null lets go of one, for the secret given with it.",
        examples=[EXAMPLE_ID],
    )
    notes: str | None = Field(
        default=None, description="Notes for the workspace, at most 2,000 characters; null removes them.",
        examples=["Ask the platform team."],
    )  # fmt: skip
    expires_at: Moment | None = Field(
        default=None, description="When the provider stops taking the secret; null for never.", examples=[LATER]
    )
    rotate_every_days: int | None = Field(
        default=None, description="After how many days (1 to 730) to remind of a rotation; null for never.",
        examples=[90],
    )  # fmt: skip
    scheduled_checks: bool | None = Field(
        default=None, description="Whether scheduled checks include it.", examples=[True]
    )


class Trial(Input):
    """A connection to test before it is saved. With aiLlmId what is left out is taken from that AI LLM."""

    workspace_id: Id | None = Field(
        default=None, description="The workspace; needed unless aiLlmId is given.", examples=[EXAMPLE_ID]
    )
    ai_llm_id: Id | None = Field(
        default=None,
        description="A stored AI LLM whose type, endpoint and credentials stand in for what is left out. Its secret "
        "only goes to the destination that it was entered for.",
        examples=[None],
    )
    ai_type: TypeName | None = Field(default=None, description="AI LLM Type.", examples=["OPENAI"])
    endpoint: str | None = Endpoint
    key: str | None = Key
    secret: str | None = Secret
    api_key_uuid: OptionalId = KeyId
    keyless: bool = Field(default=False, description=KEYLESS, examples=[False])


class TinyMessage(Input):
    """What one tiny message is sent to."""

    model: str | None = Field(
        default=None,
        description="The model, as the provider writes it; unless given, the smallest one that is known.",
        examples=["gpt-4o-mini"],
    )


class Rotation(Input):
    """A new secret for an AI LLM."""

    secret: str | None = Secret
    key: str | None = Field(
        default=None, description="The API Key that belongs to it; the stored one stays unless given.", examples=[None]
    )
    remove_key: bool = Field(default=False, description="Leave the stored API Key behind.", examples=[False])
    keep: Keep = Field(
        default="24h", description="How long the former secret is kept, so that one call returns to it.",
        examples=["24h"],
    )  # fmt: skip
    expires_at: Moment | None = Field(
        default=None, description="When the provider stops taking the new secret.", examples=[LATER]
    )
    keyless: bool = Field(default=False, description=f"{KEYLESS} No secret then, and no test.", examples=[False])


class Overlap(Input):
    """How a waiting secret takes over."""

    keep: Keep = Field(default="24h", description="How long the former secret is kept.", examples=["24h"])


class NewProviderKey(Input):
    """A new provider key: a credential that several AI LLMs of a workspace may use."""

    provider: ProviderName = Field(description="The provider; GCP and GOOGLE are one.", examples=["OPENAI"])
    workspace_id: Id = Field(description="The workspace it will be in.", examples=[EXAMPLE_ID])
    secret: str = Field(description="The API Secret. It is sealed, and never answered.", examples=["sk-proj-…"])
    key: str | None = Key
    endpoint: str | None = Field(
        default=None, description="Where it goes; the provider's default unless given.", examples=[None]
    )
    region: str | None = Field(default=None, description="AWS: decides the default endpoint.", examples=["us-east-1"])
    tenant_id: str | None = Field(default=None, description="Only for information.", examples=[None])
    subscription_id: str | None = Field(default=None, description="Only for information.", examples=[None])
    description: str | None = Field(
        default=None, description="At most 500 characters.", examples=["Key of the platform team"]
    )
    name: str | None = Field(
        default=None, description="Unique in the workspace; made from the description unless given.", examples=["team"]
    )
    expires_at: Moment | None = Field(default=None, description="When the provider stops taking it.", examples=[LATER])


class ProviderKeyChange(Input):
    """What is to be different in a provider key; what is absent stays as it is."""

    provider: ProviderName | None = Field(
        default=None, description="Another provider demands the secret again.", examples=["OPENAI"]
    )
    secret: str | None = Field(
        default=None, description="A new API Secret, for every AI LLM that uses this key.", examples=["sk-proj-…"]
    )
    key: str | None = Field(default=None, description="The API Key; null removes it.", examples=[None])
    endpoint: str | None = Field(
        default=None,
        description="Another destination demands the secret again, and is refused while AI LLMs use this one.",
        examples=["https://api.openai.com/v1"],
    )
    region: str | None = Field(default=None, description="Null removes it.", examples=["us-east-1"])
    tenant_id: str | None = Field(default=None, description="Null removes it.", examples=[None])
    subscription_id: str | None = Field(default=None, description="Null removes it.", examples=[None])
    description: str | None = Field(default=None, description="Null removes it.", examples=["Key of the platform team"])
    name: str | None = Field(default=None, description="Unique in the workspace.", examples=["team"])
    expires_at: Moment | None = Field(
        default=None, description="When the provider stops taking it; null for never.", examples=[LATER]
    )
    workspace_id: Id | None = Field(
        default=None, description="The workspace it is in. A provider key cannot move.", examples=[EXAMPLE_ID]
    )
