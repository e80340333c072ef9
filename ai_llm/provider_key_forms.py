"""The forms of provider keys."""

from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core import signing

from ai_llm.forms import secret_field
from ai_llm.models import Credential, Type
from ai_llm.rotation_forms import end_of, expiry_field
from workspaces.models import User, Workspace

SALT = "ai_llm.provider_key"
FOREIGN = "This form was made for another person or workspace. Start again with Add provider key."
PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class ProviderKeyForm(forms.Form):
    """What every provider key has. The names that the verbs have for other fields are those of the inputs here."""

    name = forms.CharField(
        label="Name",
        help_text="How people in this workspace know it, for example OpenAI of the platform team.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Enter a name for this provider key."},
    )
    description = forms.CharField(
        label="Description", required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    key = secret_field("API Key", required=False)
    secret = secret_field("API Secret", required=False)
    expires_at = expiry_field()


class NewProviderKeyForm(ProviderKeyForm):
    """A new provider key. It carries the id that the row will have, signed for this person and workspace."""

    type = forms.ChoiceField(label="AI LLM Type", choices=Type.choices)
    endpoint = forms.CharField(
        label="API Endpoint",
        help_text="Leave this blank for the provider's own. Only AI LLMs with this endpoint can use the key.",
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocapitalize": "off", **PLAIN}),
    )
    row = forms.CharField(widget=forms.HiddenInput)

    field_order = ["name", "type", "endpoint", "key", "secret", "expires_at", "description", "row"]

    def __init__(self, *arguments: Any, actor: User, workspace: Workspace, **keywords: Any) -> None:
        self.signed_for = [str(actor.pk), str(workspace.pk)]
        super().__init__(*arguments, **keywords)
        self.fields["secret"].required = True
        self.initial = {"row": signing.dumps([str(uuid4()), *self.signed_for], salt=SALT)}

    def clean_row(self) -> UUID:
        """Return the id, or refuse a form that was made for somebody else or tampered with."""
        try:
            row, *signed_for = signing.loads(self.cleaned_data["row"], salt=SALT)
        except (signing.BadSignature, ValueError):
            signed_for = []
        if signed_for != self.signed_for:
            raise forms.ValidationError(FOREIGN)
        return UUID(row)

    def values(self) -> dict[str, Any]:
        """Return what `provider_keys.create` takes of a valid form."""
        given = {name: self.cleaned_data[name] for name in ("name", "description", "key", "secret", "endpoint")}
        renamed = {"provider": self.cleaned_data["type"], "id": self.cleaned_data["row"]}
        return {**given, **renamed, "expires_at": end_of(self)}


class EditProviderKeyForm(ProviderKeyForm):
    """What may change while AI LLMs use a provider key. Blank credentials stay as they are stored."""

    remove_key = forms.BooleanField(label="Remove the stored API Key", required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    field_order = ["name", "key", "secret", "remove_key", "expires_at", "description", "version"]

    def __init__(self, *arguments: Any, row: Credential, **keywords: Any) -> None:
        self.stored_day = row.expires_at.date() if row.expires_at else None
        stored = {name: getattr(row, name) for name in ("name", "description", "version")}
        super().__init__(*arguments, **keywords)
        self.initial = {**stored, "expires_at": self.stored_day}
        if not row.key_fingerprint:
            del self.fields["remove_key"]

    def changes(self) -> dict[str, Any]:
        """Return what `provider_keys.update` takes of a valid form. The day that is stored leaves the hour as it is."""
        changes = {name: value for name, value in self.cleaned_data.items() if name != "expires_at"}
        if self.cleaned_data["expires_at"] != self.stored_day:
            changes["expires_at"] = end_of(self)
        return changes
