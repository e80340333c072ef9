"""The form of Edit: everything about a stored AI LLM that may change, and what somebody else made of it meanwhile."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, cast

from django import forms
from django.http import QueryDict

from ai_llm import configs, doctor, expiry, notes, provider_keys
from ai_llm.forms import ConfigurationForm, secret_field
from ai_llm.models import AiLlm, Credential
from ai_llm.rotation_forms import end_of, expiry_field

PLAIN = ("name", "endpoint", "expires_at", "rotate_every_days", "notes", "scheduled")
SECRET_AGAIN = "The destination changes, so enter the secret again."  # noqa: S105 - words
BEHIND = ["provider_key", "expires_at", "rotate_every_days", "notes", "scheduled"]


class ProviderKeyField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs alone
    """A choice among the provider keys that suit."""

    def label_from_instance(self, obj: Credential) -> str:
        """Return the key's name, where it goes, and the end of its secret."""
        return f"{obj.name} ({obj.endpoint}{f', …{obj.hint}' if obj.hint else ''})"


class EditForm(ConfigurationForm):
    """What is stored, to be changed; the secret is needed again when the destination changes."""

    secret = secret_field("API Secret", required=False)
    key = secret_field("API Key", required=False)
    provider_key = ProviderKeyField(
        label="Provider key",
        help_text="A credential of this workspace that several AI LLMs use, instead of an API Secret of its own.",
        queryset=Credential.objects.none(),
        required=False,
        empty_label="None: its own API Secret",
        error_messages={"invalid_choice": provider_keys.UNKNOWN},
    )
    expires_at = expiry_field()
    rotate_every_days = forms.IntegerField(
        label="Rotate every N days",
        help_text="You are reminded when the secret is that old, for example after 90 days.",
        required=False,
        min_value=1,
        max_value=expiry.LONGEST_RULE,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"invalid": expiry.RULE, "min_value": expiry.RULE, "max_value": expiry.RULE},
    )
    notes = forms.CharField(
        label="Notes",
        help_text="Who uses it, and whom to ask. Everybody in the workspace can read this, so no secrets.",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    scheduled = forms.BooleanField(
        label="Include in scheduled checks",
        help_text="When your operator runs them: each calls the provider, and costs nothing.",
        required=False,
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, ai_llm: AiLlm, **keywords: Any) -> None:
        self.stored_day, held = day(ai_llm), ai_llm.credential
        self.lent = held if held is not None and held.shared else None
        initial = {**stored(ai_llm), "version": ai_llm.version, "provider_key": self.lent}
        super().__init__(
            *arguments, workspace=ai_llm.workspace, type=ai_llm.type, besides=ai_llm, initial=initial, **keywords
        )
        suitable = Credential.objects.of(ai_llm.workspace).filter(provider=ai_llm.type).defer("secret", "key")
        cast(ProviderKeyField, self.fields["provider_key"]).queryset = suitable.order_by("name_key")
        if not suitable.exists():  # nothing to choose: what is not there needs no explanation
            del self.fields["provider_key"]

    def ask_again(self, ai_llm: AiLlm) -> None:
        """Mark the secret as required, and say why, when the form shows another destination than `ai_llm` has.

        Whether it may be saved is the verb's to say: a provider key may take the place of the secret.
        """
        endpoint = str(self["endpoint"].value() or "")
        self.is_valid()  # judged before: the mark alone refuses nothing
        if ai_llm.keyless or doctor.same_destination(ai_llm.endpoint, endpoint, ai_llm.type):
            return
        self.fields["secret"].required = True
        self.fields["secret"].help_text = SECRET_AGAIN

    def clean_notes(self) -> str:
        """Return the notes as they will be stored."""
        return self._checked("notes", notes.clean)

    def changes(self) -> dict[str, Any]:
        """Return what `configs.update` takes of a valid form."""
        apart = {"scheduled", "expires_at", "provider_key"}
        return {name: value for name, value in self.cleaned_data.items() if name not in apart} | {
            "expires_at": self._expiry(),
            "provider_key": self.cleaned_data.get("provider_key") if self.chooses_another else configs.STAYS,
        }

    @property
    def chooses_another(self) -> bool:
        """Whether another provider key is chosen than the AI LLM uses, or an own secret beside one."""
        if "provider_key" not in self.data:
            return False
        chosen, secret = self.cleaned_data.get("provider_key"), self.cleaned_data.get("secret", "").strip()
        return chosen != self.lent or (chosen is not None and bool(secret))

    def _expiry(self) -> datetime | configs.Unchanged | None:
        """Return the end of the day that was entered. The day that is stored already leaves the hour as it is.

        Beside a new secret it is that one's: it is taken as it stands, unless the secret itself tells when it ends.
        """
        typed, secret = self.cleaned_data["expires_at"], self.cleaned_data["secret"].strip()
        stays = not secret or typed is None or expiry.proposed(secret) is not None
        return configs.STAYS if typed == self.stored_day and stays else end_of(self)


def day(ai_llm: AiLlm) -> date | None:
    """Return the last day (UTC) of the stored secret, None without one."""
    ends = ai_llm.credential.expires_at if ai_llm.credential is not None else None
    return ends.astimezone(UTC).date() if ends else None


def stored(ai_llm: AiLlm) -> dict[str, Any]:
    """Return what is stored now, by field."""
    return {name: day(ai_llm) if name == "expires_at" else getattr(ai_llm, name) for name in PLAIN}


def overtaken(posted: QueryDict, typed: Mapping[str, Any], now: AiLlm) -> tuple[EditForm, dict[str, str]]:
    """Return the form as it was typed, made for the row as it is `now`, and by field what is stored where it differs.

    Saving it again overwrites the other person's change knowingly.
    """
    data = posted.copy()
    data["version"] = str(now.version)
    beside = {name: _word(value) for name, value in stored(now).items() if typed.get(name) != value}
    return EditForm(data, ai_llm=now), beside


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "included" if value else "left out"
    return str(value) if value not in {None, ""} else "nothing"
