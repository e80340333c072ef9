"""The forms of rotation: a new secret with how long the old one is kept, and what becomes of one that waits."""

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from ai_llm import history, rotation
from ai_llm.forms import ReplaceSecretForm
from ai_llm.models import DISABLED, AiLlm

DAY = forms.DateInput(attrs={"type": "date", "autocomplete": "off"}, format="%Y-%m-%d")


def end_of(form: forms.Form, field: str = "expires_at") -> datetime | None:
    """Return the end of the day (UTC) that was entered, None for a blank field."""
    day = form.cleaned_data[field]
    return datetime.combine(day, time(23, 59, 59), UTC) if day else None


def expiry_field() -> forms.DateField:
    """Return the field for the last day on which a secret works."""
    return forms.DateField(
        label="Expires on",
        help_text="Its last day at the provider (UTC), if it has one. You are reminded 30, 14 and 3 days before.",
        required=False,
        widget=DAY,
        error_messages={"invalid": "Enter a date as year-month-day, for example 2027-03-31."},
    )


class OverlapField(forms.ChoiceField):
    """How long the old secret is kept; a form without the choice keeps it for a day."""

    def clean(self, value: Any) -> str:
        """Return a key of `rotation.OVERLAPS`."""
        return str(super().clean(value or "24h"))


class KeepForm(forms.Form):
    """How long the secret before stays, so that one click leads back to it."""

    keep = OverlapField(
        label="Keep the old secret as fallback",
        help_text="While it is kept, one click returns to it. After that it is purged.",
        choices=list(rotation.OVERLAP_WORDS.items()),
        initial="24h",
    )


class RotateForm(KeepForm, ReplaceSecretForm):
    """A new secret for a stored AI LLM, its expiry, and how long the old one is kept. A blank API Key stays as stored.

    `version` is the one the person looked at: a second click must not take the new secret for the old one.
    """

    expires_at = expiry_field()
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    field_order = ["key", "secret", "keyless", "remove_key", "keep", "expires_at", "version"]

    def __init__(self, *arguments: Any, ai_llm: AiLlm, **keywords: Any) -> None:
        # A secret that does not work is no fallback.
        works = ai_llm.verdict in history.WORKS and ai_llm.state in {ai_llm.verdict, DISABLED}
        keep = "24h" if works else "none"
        initial = {"version": ai_llm.version, "keep": keep}
        super().__init__(*arguments, type=ai_llm.type, initial=initial, **keywords)
        if ai_llm.credential is None:
            del self.fields["keep"]

    def typed(self) -> dict[str, Any]:
        """Return what a test takes: secret, key, remove_key, and keyless where the type has it."""
        return {name: value for name, value in super().typed().items() if name not in {"keep", "expires_at", "version"}}
