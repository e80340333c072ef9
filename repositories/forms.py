"""Forms check shape and types; the verbs check meaning. What a verb refuses comes back to the field it is about."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.utils import timezone

from ai_llm.models import Type
from flashback.errors import Invalid
from repositories import keys, patterns
from repositories.models import AiApiKey, Mode, Repository, StorageType
from workspaces.once import OnceForm

OVERLAPS = {
    "0": "Ends at once",
    "1": "Works for 1 more hour",
    "24": "Works for 1 more day",
    "168": "Works for 7 more days",
    "720": "Works for 30 more days",
}
DAY = timedelta(days=1)
_NO_SPELLING = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class RepositoryForm(forms.Form):
    """Name and description, and what only the public API uses."""

    name = forms.CharField(
        label="Name",
        help_text="What applications call through, for example chat-production.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "chat-production"}),
        error_messages={"required": "Enter a name, for example chat-production."},
    )
    description = forms.CharField(
        label="Description",
        help_text="What it is for, and who to ask.",
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    storage_type = forms.ChoiceField(
        label="Storage type", choices=StorageType.choices, initial=StorageType.S3, required=False
    )
    mode = forms.ChoiceField(label="Mode", choices=Mode.choices, initial=Mode.NORMAL, required=False)

    def clean_storage_type(self) -> str:
        """Return the type; the default for none."""
        return str(self.cleaned_data["storage_type"] or self.initial.get("storage_type", StorageType.S3))

    def clean_mode(self) -> str:
        """Return the mode; the default for none."""
        return str(self.cleaned_data["mode"] or self.initial.get("mode", Mode.NORMAL))


class NewRepositoryForm(OnceForm, RepositoryForm):
    """A repository that is not there yet."""


class EditRepositoryForm(RepositoryForm):
    """A stored repository."""

    def __init__(self, *arguments: Any, repository: Repository, **keywords: Any) -> None:
        stored = ("name", "description", "storage_type", "mode")
        initial = {name: getattr(repository, name) for name in stored}
        super().__init__(*arguments, **{**keywords, "initial": initial})


class DeleteForm(forms.Form):
    """Confirms a deletion; by the name, while keys work."""

    name = forms.CharField(
        label="Type the name to confirm",
        widget=forms.TextInput(attrs={**_NO_SPELLING}),
        error_messages={"required": "Type the name of this repository to confirm."},
    )

    def __init__(self, *arguments: Any, live: int, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if not live:
            del self.fields["name"]


class Ids(forms.MultipleChoiceField):
    """Ids of rows that were ticked; whether there are such rows is the verb's to say."""

    def valid_value(self, value: str) -> bool:
        """Return whether it is an id at all."""
        return _is_id(value)

    def clean(self, value: Any) -> list[UUID]:
        """Return the ids, each once."""
        return list(dict.fromkeys(UUID(text) for text in super().clean(value)))


class ChooseForm(forms.Form):
    """Rows that were ticked in a list."""

    chosen = Ids(label="", error_messages={"required": "Tick at least one.", "invalid_choice": "Choose from the list."})


class PatternsForm(forms.Form):
    """A form with an allow-list of models."""

    patterns = forms.CharField(
        label="Allowed models",
        help_text="One name or pattern per line, * stands for any characters: gpt-4o*. Leave blank to allow all.",
        required=False,
        max_length=12_000,
        widget=forms.Textarea(attrs={"rows": 4, **_NO_SPELLING}),
    )

    def clean_patterns(self) -> list[str]:
        """Return the patterns as a list."""
        try:
            return patterns.clean(patterns.split(self.cleaned_data["patterns"]))
        except Invalid as invalid:
            raise forms.ValidationError(invalid.message) from None


class AttachmentForm(PatternsForm):
    """The place of an AI LLM in a repository, and which of its models may be used through it."""

    place = forms.IntegerField(
        label="Place",
        help_text="Calls go to place 1 first.",
        min_value=1,
        max_value=100_000,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "min": 1}),
        error_messages={"required": "Enter a place: 1 is asked first.", "invalid": "Enter a whole number from 1."},
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)
    field_order = ("place", "patterns", "version")


class KeyForm(PatternsForm):
    """What a key is called, until when it works, and which models it may use."""

    name = forms.CharField(
        label="Name",
        help_text="Which application uses it, and where: billing-bot production.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "billing-bot production"}),
        error_messages={"required": "Enter a name, for example billing-bot production."},
    )
    expires = forms.DateField(
        label="Last day",
        help_text="The key works until the end of this day (UTC). Leave blank for no end.",
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a day as year-month-day, for example 2027-03-31."},
    )

    field_order: tuple[str, ...] = ("name", "expires", "patterns")

    def clean_expires(self) -> date | None:
        """Return the day, unless it has passed or is too far away to be meant."""
        day: date | None = self.cleaned_data["expires"]
        if day is None or day == self.initial.get("expires"):
            return day
        today = timezone.now().date()
        if day < today:
            raise forms.ValidationError(keys.PAST)
        if day > today + keys.FARTHEST - 2 * DAY:
            raise forms.ValidationError(keys.FAR)
        return day

    def values(self) -> dict[str, Any]:
        """Return what the verbs take of a valid form."""
        day: date | None = self.cleaned_data["expires"]
        given = {name: value for name, value in self.cleaned_data.items() if name not in {"expires", "row"}}
        return {**given, "expires_at": datetime.combine(day + DAY, time(), UTC) if day else None}


class NewKeyForm(OnceForm, KeyForm):
    """A key that is not there yet."""

    type = forms.ChoiceField(
        label="API type",
        help_text="The API that the application speaks. It does not limit which providers it reaches.",
        choices=Type.choices,
        initial=Type.OPENAI,
        error_messages={"required": "Choose the API that the application speaks."},
    )
    field_order = ("name", "type", "expires", "patterns", "row")


class EditKeyForm(KeyForm):
    """A stored key."""

    def __init__(self, *arguments: Any, key: AiApiKey, **keywords: Any) -> None:
        self.key = key
        initial = {"name": key.name, "expires": last_day(key.expires_at), "patterns": "\n".join(key.patterns)}
        super().__init__(*arguments, **{**keywords, "initial": initial})

    def values(self) -> dict[str, Any]:
        """Return what the verbs take; a day that stays keeps the very moment that was stored."""
        stays = self.cleaned_data["expires"] == last_day(self.key.expires_at)
        return {**super().values(), **({"expires_at": self.key.expires_at} if stays else {})}


class RotateForm(OnceForm):
    """How long the former secret works beside the new one."""

    overlap = forms.ChoiceField(
        label="The former secret",
        help_text="Long enough to change it everywhere. Until then both work.",
        choices=list(OVERLAPS.items()),
        initial="24",
        error_messages={"required": "Choose how long the former secret works."},
    )

    def until(self) -> datetime | None:
        """Return when the former secret ends, None for at once."""
        hours = int(self.cleaned_data["overlap"])
        return timezone.now() + timedelta(hours=hours) if hours else None


def last_day(expires_at: datetime | None) -> date | None:
    """Return the last day (UTC) on which something works that ends at this moment."""
    return (expires_at - timedelta(microseconds=1)).date() if expires_at else None


def ids(texts: Iterable[str]) -> list[UUID]:
    """Return the ids among `texts`, each once; anything else is left out."""
    return list(dict.fromkeys(UUID(text) for text in texts if _is_id(text)))


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
