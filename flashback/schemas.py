"""What bodies and answers are made of: strict input, plain output, and the few types that both share.

Field names are written as Python has them and travel as the public API has them (`workspace_id` is `workspaceId`).
Every field has a description and an example; a test says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from flashback.errors import Invalid

EXAMPLE_ID = "6f1c2f6e-3f0b-4a51-9d0a-0c3f6f8d2b11"
EXAMPLE_MOMENT = "2026-03-16T09:30:00.000Z"
NO_VALUE = ("", "undefined", "null")


class Input(BaseModel):
    """A body. An unknown field is refused and named; nothing is turned from one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, hide_input_in_errors=True)

    def given(self) -> dict[str, Any]:
        """Return only what was sent, by Python name: a field that is absent is not one that is null."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Filters(BaseModel):
    """What is asked for in a query string. A value that the public client writes for none counts as absent."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value not in NO_VALUE} if values else values


class Output(BaseModel):
    """An answer, or a part of one. Construct it by Python names; it leaves by the public ones."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def is_none(value: object) -> bool:
    """Return whether a field stays out of an answer: for those that the public client's types call optional."""
    return value is None


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _none_if_blank(value: Any) -> Any:
    return None if value == "" else value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of reach") from None


def _listed(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else ",".join(map(str, value))
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


# An id in a body. Ids in paths are written as {uuid:name}, so that anything else is an unknown address (404).
Id = Annotated[UUID, BeforeValidator(_text), Strict(False)]
# A moment in a body: RFC 3339 text with its zone.
Moment = Annotated[
    datetime,
    BeforeValidator(_text),
    Strict(False),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
# A count in an answer: a string, since such numbers may become larger than the numbers of a browser.
Counter = Annotated[str, BeforeValidator(str), Field(pattern=r"^\d+$")]
# A list in a query: one parameter, its values joined with commas.
CommaList = Annotated[list[str], BeforeValidator(_listed)]
# An id or a moment in a body that a form may leave empty: "" is none.
OptionalId = Annotated[Id | None, BeforeValidator(_none_if_blank)]
OptionalMoment = Annotated[Moment | None, BeforeValidator(_none_if_blank)]
# What the public client sends and this server has no use for. It may hold anything.
Ignored = Annotated[Any, Field(default=None, description="Accepted and ignored.", examples=[None])]


class Answer(Output):
    """What every answer with a status below 400 begins with."""

    success: bool = Field(
        default=True, description="Always true here; false comes with a status of 400 or more.", examples=[True]
    )


class Success(Answer):
    """The answer to what returns nothing else."""

    # The client's type says that it may be missing, not that it may be null.
    message: str | None = Field(
        default=None, exclude_if=is_none, description="One sentence for people.", examples=["Done."]
    )


class Failure(Output):
    """Every answer with a status of 400 or more."""

    success: bool = Field(default=False, description="Always false.", examples=[False])
    message: str = Field(description="One sentence that may be shown to people.", examples=["Choose another name."])
    errors: dict[str, str] | None = Field(
        default=None,
        description="What is wrong with which field of the request; only with status 400.",
        examples=[{"name": "Choose another name."}],
    )
    error_code: str | None = Field(
        default=None,
        alias="error_code",
        description="A word for programs, where one status stands for several causes.",
        examples=["MFA_REQUIRED"],
    )
    error_message: str | None = Field(
        default=None,
        alias="error_message",
        description="The message again, wherever there is an error_code.",
        examples=["Choose another name."],
    )


@contextmanager
def naming(**names: str) -> Iterator[None]:
    """Give the fields of an `Invalid` raised inside the names that the request has: `naming(type="aiType")`."""
    try:
        yield
    except Invalid as invalid:
        invalid.errors = {names.get(field, field): text for field, text in invalid.errors.items()}
        raise
