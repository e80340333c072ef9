"""What the API's operations on repositories, attachments and AI API keys take and answer."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from ai_llm.api_schemas import LATER, Paged, TypeName
from ai_llm.models import Type
from flashback.schemas import (
    EXAMPLE_ID,
    EXAMPLE_MOMENT,
    Answer,
    CommaList,
    Counter,
    Filters,
    Id,
    Ignored,
    Input,
    Moment,
    OptionalId,
    Output,
    Success,
)
from repositories.models import StorageType

StorageName = Literal["S3", "GCS", "BLOB", "AZURE"]
ModeName = Literal["NORMAL", "MIRROR", "BACKUP"]
PATTERNS = "Names of models that may be used, with * for any characters; empty for all of them."
STAY = "Absent or null: those that it has stay."
PATTERNS_EXAMPLES = [["gpt-4o*", "o3-mini"]]
Patterns = Annotated[list[str], Field(description=PATTERNS, examples=PATTERNS_EXAMPLES)]


class RepoFilters(Filters):
    """Which repositories are asked for."""

    workspace_id: str | None = Field(default=None, description="Only those of this workspace.", examples=[EXAMPLE_ID])
    repo_id: str | None = Field(default=None, description="Only this one.", examples=[EXAMPLE_ID])
    wallet_address: str | None = Field(default=None, description="Accepted and ignored.", examples=["undefined"])
    q: str | None = Field(
        default=None, max_length=120, description="Only those with this in their name.", examples=["chat"]
    )
    skip: int = Field(
        default=0, ge=0, le=1_000_000, description="How many to leave out from the beginning.", examples=[0]
    )
    take: int | None = Field(
        default=None, ge=1, le=1000, description="How many to answer at most; all unless given.", examples=[50]
    )


class StatsFilters(Filters):
    """Which repositories' figures are asked for."""

    repo_id: CommaList = Field(
        default_factory=list, description="Ids joined with commas; all unless given.", examples=[[EXAMPLE_ID]]
    )


class ModelFilters(Paged):
    """Which reachable models are asked for."""

    q: str | None = Field(
        default=None, max_length=120, description="Only those with this in their name.", examples=["gpt-4o"]
    )
    ai_llm_id: UUID | None = Field(default=None, description="Only those of this AI LLM.", examples=[EXAMPLE_ID])


class AttachedRef(Input):
    """Names one AI LLM, by its id or by what the list of AI LLMs answered."""

    ai_llm_id: Id | None = Field(default=None, description="The AI LLM's id.", examples=[EXAMPLE_ID])
    ai_llm: dict[str, Any] | None = Field(
        default=None,
        description="The AI LLM as it was answered; its id counts where aiLlmId is absent.",
        examples=[None],
    )
    place: Ignored  # as it was answered: the order of the list is the order of preference
    model_patterns: list[str] | None = Field(default=None, description=f"{PATTERNS} {STAY}", examples=[None])


class RepoChange(Input):
    """What is to be different in a repository; what is absent or null stays as it is."""

    name: str | None = Field(
        default=None, description="Unique in the workspace, 1 to 120 characters.", examples=["chat-production"]
    )
    description: str | None = Field(
        default=None, description="At most 500 characters.", examples=["Chat of the web shop"]
    )
    storage_type: StorageName | None = Field(
        default=None, description="Kept for the public API; AZURE is stored as BLOB.", examples=["S3"]
    )
    mode: ModeName | None = Field(default=None, description="Kept for the public API.", examples=["NORMAL"])
    workspace_id: Id | None = Field(
        default=None, description="The workspace it is in. A repository cannot move.", examples=[EXAMPLE_ID]
    )
    repo_ai_llms: list[AttachedRef] | None = Field(
        default=None,
        description="Exactly these AI LLMs of the workspace, in the order of preference; [] detaches all.",
        examples=[[{"aiLlmId": EXAMPLE_ID}]],
    )
    repo_buckets: Ignored
    repo_units: Ignored
    wallet_address: Ignored


class NewRepo(RepoChange):
    """A new repository."""

    name: str = Field(description="Unique in the workspace, 1 to 120 characters.", examples=["chat-production"])
    workspace_id: Id = Field(description="The workspace it will be in.", examples=[EXAMPLE_ID])


class RepoToCheck(Input):
    """A repository as it would be stored."""

    repo_id: OptionalId = Field(
        default=None, description="The repository, unless the address names it.", examples=[EXAMPLE_ID]
    )
    mode: ModeName | None = Field(default=None, description="Kept for the public API.", examples=["NORMAL"])
    repo_buckets: Ignored
    repo_units: Ignored


class AttachmentList(Input):
    """AI LLMs of the repository's workspace."""

    ai_llm_ids: list[Id] = Field(description="Their ids, in the order of preference.", examples=[[EXAMPLE_ID]])


class AttachmentChange(Input):
    """What is to be different in one attachment; what is absent or null stays as it is."""

    place: int | None = Field(
        default=None, ge=1, le=10_000, description="The place in the order, from 1.", examples=[1]
    )
    model_patterns: list[str] | None = Field(default=None, description=PATTERNS, examples=PATTERNS_EXAMPLES)


class Target(Input):
    """The AI LLM that takes another one's place."""

    ai_llm_id: Id = Field(description="The id of the AI LLM that takes over.", examples=[EXAMPLE_ID])


class NewKey(Input):
    """A new AI API key."""

    name: str = Field(description="Unique in the repository, 1 to 120 characters.", examples=["web shop"])
    ai_type: TypeName = Field(description="The API dialect that the key speaks.", examples=["OPENAI"])
    expires_at: Moment | None = Field(default=None, description="When it stops; never unless given.", examples=[LATER])
    model_patterns: Patterns = Field(default_factory=list)


class KeyChange(Input):
    """What is to be different in an AI API key; what is absent stays as it is."""

    name: str | None = Field(
        default=None, description="Unique in the repository, 1 to 120 characters.", examples=["web shop"]
    )
    expires_at: Moment | None = Field(default=None, description="When it stops; null for never.", examples=[LATER])
    model_patterns: list[str] | None = Field(default=None, description=PATTERNS, examples=PATTERNS_EXAMPLES)


class KeyRotation(Input):
    """How a key gets a new secret."""

    keep_until: Moment | None = Field(
        default=None,
        description="Until when the former secret answers too, at most 90 days; not at all unless given.",
        examples=[LATER],
    )


class ModelsWanted(Input):
    """Which models are asked for."""

    repo_id: Id = Field(description="The repository.", examples=[EXAMPLE_ID])
    ai_type: TypeName | None = Field(
        default=None, description="Only those of AI LLMs of this type.", examples=["OPENAI"]
    )
    llm_type: str | None = Field(default=None, description="As aiType.", examples=["OPENAI"])


class AttachedAiLlm(Output):
    """An AI LLM as it is attached."""

    id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])
    org_id: UUID = Field(description="The organization.", examples=[EXAMPLE_ID])
    workspace_id: UUID = Field(description="The workspace.", examples=[EXAMPLE_ID])
    user_id: UUID | None = Field(description="Who made it; null when they left.", examples=[EXAMPLE_ID])
    name: str = Field(description="Its name.", examples=["prod-openai"])
    ai_type: str = Field(description="The type of provider.", examples=["OPENAI"])
    endpoint: str = Field(description="The API endpoint.", examples=["https://api.openai.com/v1"])
    key: None = Field(
        default=None, description="Always null: nothing of a credential is ever answered.", examples=[None]
    )
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])


class RepoAiLlm(Output):
    """One attachment."""

    ai_llm_id: UUID = Field(description="The AI LLM's id.", examples=[EXAMPLE_ID])
    ai_llm: AttachedAiLlm = Field(description="The AI LLM.")
    place: int = Field(description="The place in the order of preference, from 1.", examples=[1])
    model_patterns: Patterns


class Key(Output):
    """An AI API key, without its secret."""

    id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])
    name: str = Field(description="Its name.", examples=["web shop"])
    repo_id: UUID = Field(description="The repository.", examples=[EXAMPLE_ID])
    key: str | None = Field(description="The public part of the current secret.", examples=["7Hq2LmX9"])
    ai_type: str = Field(description="The API dialect that the key speaks.", examples=["OPENAI"])
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])
    deleted_at: None = Field(
        default=None, description="Always null: keys that are deleted are not listed.", examples=[None]
    )
    expires_at: datetime | None = Field(description="When it stops; null for never.", examples=[LATER])
    model_patterns: Patterns
    hint: str = Field(description="How the current secret begins and ends.", examples=["sk-fb-7Hq2LmX9_…c3Fd"])
    last_used_at: datetime | None = Field(
        description="When it was last used, as of ten minutes ago; null for never.", examples=[EXAMPLE_MOMENT]
    )
    former_until: datetime | None = Field(
        description="Until when the former secret answers too; null when it does not.", examples=[None]
    )


class Repo(Output):
    """A repository."""

    id: UUID = Field(description="Its id.", examples=[EXAMPLE_ID])
    name: str = Field(description="Its name.", examples=["chat-production"])
    description: str = Field(description="What it is for; may be empty.", examples=["Chat of the web shop"])
    storage_type: str = Field(description="Kept for the public API.", examples=[StorageType.S3.value])
    mode: str = Field(description="Kept for the public API.", examples=["NORMAL"])
    workspace_id: UUID = Field(description="The workspace.", examples=[EXAMPLE_ID])
    buckets: list[Any] = Field(default_factory=list, description="Always empty.", examples=[[]])
    ai_llms: list[RepoAiLlm] = Field(description="The attached AI LLMs, in the order of preference.")
    api_keys: list[Any] = Field(default_factory=list, description="Always empty.", examples=[[]])
    ai_api_keys: list[Key] = Field(description="Its AI API keys, the newest first.")
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])
    changed_at: datetime = Field(description="When it was last changed.", examples=[EXAMPLE_MOMENT])
    disabled: bool = Field(description="Whether all of its keys are refused.", examples=[False])


class RepoSaved(Success):
    """The repository is stored."""

    repo_id: UUID = Field(description="The repository's id.", examples=[EXAMPLE_ID])


class RepoList(Answer):
    """Repositories, the newest first."""

    repos: list[Repo] = Field(description="The repositories.")
    total: int = Field(description="How many there are without skip and take.", examples=[1])


class RepoShown(Answer):
    """One repository."""

    repo: Repo = Field(description="The repository.")


class RepoStats(Output):
    """What was stored through a repository. AI calls are counted elsewhere."""

    repo_id: UUID = Field(description="The repository.", examples=[EXAMPLE_ID])
    total_upload_bytes: Counter = Field(default="0", description="Bytes stored.", examples=["0"])
    total_download_bytes: Counter = Field(default="0", description="Bytes read.", examples=["0"])
    total_size_change: Counter = Field(default="0", description="Bytes by which it grew.", examples=["0"])


class RepoStatsList(Answer):
    """Figures of repositories."""

    stats: list[RepoStats] = Field(description="One entry for each repository.")


class Attachment(Output):
    """One attached AI LLM, and what may be reached through it."""

    ai_llm_id: UUID = Field(description="The AI LLM's id.", examples=[EXAMPLE_ID])
    name: str = Field(description="The AI LLM's name.", examples=["prod-openai"])
    ai_type: str = Field(description="The type of provider.", examples=["OPENAI"])
    state: str = Field(
        description="disabled, unavailable, never, or the verdict of the last check.", examples=["accepted"]
    )
    warning: str | None = Field(description="What may keep it from answering.", examples=[None])
    place: int = Field(description="The place in the order of preference, from 1.", examples=[1])
    model_patterns: Patterns
    known_models: int = Field(description="How many models it has.", examples=[40])
    allowed_models: int = Field(description="How many of them the patterns leave.", examples=[6])


class AttachmentsShown(Answer):
    """What is attached to a repository."""

    attachments: list[Attachment] = Field(description="In the order of preference.")


class AttachmentsAdded(AttachmentsShown):
    """What is attached to a repository now."""

    attached: list[UUID] = Field(description="Those that are new.", examples=[[EXAMPLE_ID]])


class AttachmentsMoved(Answer):
    """Where one AI LLM took another one's place."""

    repo_ids: list[UUID] = Field(description="The repositories.", examples=[[EXAMPLE_ID]])


class KeyIssued(Success):
    """A new secret. It is never shown again."""

    id: UUID = Field(description="The key's id.", examples=[EXAMPLE_ID])
    key: str = Field(description="The public part of the secret.", examples=["7Hq2LmX9"])
    secret: str = Field(description="What applications send as their bearer token.", examples=["sk-fb-…"])


class KeyList(Answer):
    """AI API keys, the newest first."""

    api_keys: list[Key] = Field(description="Those that are not deleted.")


class KeyShown(Answer):
    """One AI API key."""

    api_key: Key = Field(description="The key.")


class ReachableModel(Output):
    """A model that can be called through a repository."""

    id: str = Field(description="Its name, as calls give it.", examples=["gpt-4o-mini"])
    name: str = Field(description="The same.", examples=["gpt-4o-mini"])
    ai_type: str = Field(description="The type of the AI LLM that calls go to.", examples=["OPENAI"])
    llm_type: str = Field(description="The same.", examples=["OPENAI"])
    llm_provider: str = Field(description="The provider in words.", examples=[Type.OPENAI.label])
    ai_llm_id: UUID = Field(description="The AI LLM that calls go to.", examples=[EXAMPLE_ID])
    ai_llm_name: str = Field(description="Its name.", examples=["prod-openai"])


class ModelList(Answer):
    """Models of a repository."""

    models: list[ReachableModel] = Field(description="By name.")
    total: int = Field(description="How many there are without skip and take.", examples=[40])
