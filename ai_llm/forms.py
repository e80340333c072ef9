"""Forms check shape and types; the verbs check meaning. What a verb refuses comes back to the field it is about."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core import signing
from django.http import QueryDict

from ai_llm import configs
from ai_llm.models import AiLlm, Type
from flashback.errors import Invalid
from workspaces.models import User, Workspace

ROW_SALT = "ai_llm.new"


def refuse(form: forms.Form, invalid: Invalid) -> None:
    """Put the messages of `invalid` beside the fields of `form` that they are about."""
    for field, message in invalid.errors.items():
        form.add_error(field if field in form.fields else None, message)


def with_fix(posted: QueryDict) -> QueryDict:
    """Return what was posted, with the endpoint replaced by the fix that was clicked, if one was."""
    data = posted.copy()
    if "fix" in posted:
        data.setlist("endpoint", [str(posted["fix"])])
    return data


def with_preset(posted: QueryDict, endpoint: str, name: str) -> QueryDict:
    """Return what was posted with `endpoint`, and with `name` where nothing was typed."""
    data = posted.copy()
    data.setlist("endpoint", [endpoint])
    if not data.get("name", "").strip():
        data.setlist("name", [name])
    return data


def secret_field(label: str, *, required: bool) -> forms.CharField:
    """Return an input that holds a secret: never filled in, not remembered by the browser, not spell-checked."""
    attributes = {"autocomplete": "new-password", "spellcheck": "false", "autocapitalize": "off"}
    return forms.CharField(
        label=label,
        required=required,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs=attributes),
        error_messages={"required": configs.NO_SECRET},
    )


class ConfigurationForm(forms.Form):
    """Step 2 of the wizard: what the configuration is called and where the provider is."""

    name = forms.CharField(
        label="Configuration Name",
        help_text="A clear, unique name, for example prod-openai-gateway.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "prod-openai-gateway"}),
        error_messages={"required": "Enter a Configuration Name, for example prod-openai-gateway."},
    )
    endpoint = forms.CharField(
        label="API Endpoint",
        help_text="The provider's base URL: protocol (https://), host, and the path with /v1 when needed.",
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
        error_messages={"required": "Enter the API Endpoint, for example https://api.openai.com/v1."},
    )

    def __init__(
        self, *arguments: Any, workspace: Workspace, type: str, besides: AiLlm | None = None, **keywords: Any
    ) -> None:
        super().__init__(*arguments, **keywords)
        self.workspace, self.type, self.besides = workspace, type, besides

    def clean_name(self) -> str:
        """Return the name as it will be stored."""
        return self._checked("name", lambda text: configs.clean_name(self.workspace, text, besides=self.besides))

    def clean_endpoint(self) -> str:
        """Return the endpoint in its canonical form."""
        return self._checked("endpoint", lambda text: configs.clean_endpoint(text, self.type))

    def _checked(self, field: str, clean: Any) -> str:
        try:
            return str(clean(self.cleaned_data[field]))
        except Invalid as invalid:
            raise forms.ValidationError(" ".join(invalid.errors.values())) from None


class CredentialsForm(forms.Form):
    """Step 3 of the wizard and Replace secret: the only inputs that ever hold a secret. Nothing is printed back.

    The type OTHER may do without a secret, when that is said.
    """

    secret = secret_field("API Secret", required=True)
    key = secret_field("API Key", required=False)
    keyless = forms.BooleanField(
        label="This endpoint needs no secret",
        help_text="For a server that checks no keys. Then nothing is stored, and nothing is sent along.",
        required=False,
    )

    def __init__(self, *arguments: Any, type: str, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if type != Type.OTHER:
            del self.fields["keyless"]
            return
        self.fields["secret"].required = "keyless" not in self.data
        self.fields["secret"].error_messages["required"] = configs.SECRET_OR_NONE

    def typed(self) -> dict[str, Any]:
        """Return what the verbs take of a valid form: secret, key, and keyless where the type has it."""
        return {name: value for name, value in self.cleaned_data.items() if name != "row"}


class NewCredentialsForm(CredentialsForm):
    """Step 3 of the wizard: carries the id that the new row will have, signed for this person and workspace."""

    row = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, actor: User, workspace: Workspace, type: str, **keywords: Any) -> None:
        self.signed_for = [str(actor.pk), str(workspace.pk)]
        fresh = signing.dumps([str(uuid4()), *self.signed_for], salt=ROW_SALT)
        super().__init__(*arguments, type=type, **keywords)
        self.initial = {"row": fresh}

    def clean_row(self) -> UUID:
        """Return the id, or refuse a form that was made for somebody else or tampered with."""
        try:
            row, *signed_for = signing.loads(self.cleaned_data["row"], salt=ROW_SALT)
        except (signing.BadSignature, ValueError):
            signed_for = []
        if signed_for != self.signed_for:
            raise forms.ValidationError(
                "This form was made for another person or workspace. Start again with Add AI LLM."
            )
        return UUID(row)


class ReplaceSecretForm(CredentialsForm):
    """A new secret for a stored AI LLM. A blank API Key keeps the stored one."""

    remove_key = forms.BooleanField(label="Remove the stored API Key", required=False)


class DeleteForm(forms.Form):
    """Confirms a deletion by the name, so that nobody deletes the wrong row by habit.

    While something depends on the row, `others` (id, label) are asked about first: which one takes its place.
    """

    move_to = forms.ChoiceField(
        label="Move all to",
        help_text="It takes this one's place in every repository above, with its allow-lists.",
        error_messages={
            "required": "Choose the AI LLM that takes its place.",
            "invalid_choice": "This AI LLM is not there any more. Choose another one.",
        },
    )
    name = forms.CharField(
        label="Type the name to confirm",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type the name of this AI LLM to confirm."},
    )

    def __init__(self, *arguments: Any, ai_llm: AiLlm, others: Sequence[tuple[str, str]] = (), **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.ai_llm = ai_llm
        if others:
            self.fields["move_to"].choices = [("", "Choose an AI LLM"), *others]  # type: ignore[attr-defined]  # a ChoiceField
        else:
            del self.fields["move_to"]

    def clean_name(self) -> str:
        """Accept the stored name only."""
        if " ".join(self.cleaned_data["name"].split()) != self.ai_llm.name:
            raise forms.ValidationError(f"This is not the name. Type {self.ai_llm.name} to confirm.")
        return self.ai_llm.name


class PhraseForm(forms.Form):
    """Asks to type `phrase`, so that nobody changes many rows by one click; with "" it asks for nothing."""

    typed = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *arguments: Any, phrase: str, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.phrase = phrase
        if not phrase:
            del self.fields["typed"]
            return
        self.fields["typed"].label = f"Type {phrase} to confirm"
        self.fields["typed"].error_messages["required"] = f"Type {phrase} to confirm."

    def clean_typed(self) -> str:
        """Accept the phrase only, without regard to case and blanks."""
        typed = " ".join(self.cleaned_data["typed"].split()).casefold()
        if typed != self.phrase:
            raise forms.ValidationError(f"This is not what is asked for. Type {self.phrase} to confirm.")
        return typed
