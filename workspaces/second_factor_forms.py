"""The forms of the second factor. `workspaces.second_factor` says what a code is worth."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from django import forms

from workspaces import second_factor
from workspaces.account_models import SecondFactorPolicy
from workspaces.forms import VerbForm
from workspaces.models import Organization, User

TYPED = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "autocapitalize": "off"}


def code_field(help_text: str) -> forms.CharField:
    """Return the field for a code."""
    return forms.CharField(
        label="Code",
        max_length=40,
        help_text=help_text,
        widget=forms.TextInput(TYPED),
        error_messages={"required": "Enter the code that your app shows.", "max_length": second_factor.WRONG},
    )


class CodeForm(forms.Form):
    """The second step of a sign-in: a code of the app, or a recovery code."""

    code = code_field("Six digits from your authenticator app, or one of your recovery codes.")

    def __init__(self, *arguments: Any, user: User, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.user = user

    def clean_code(self) -> str:
        """Use the code up. One too many that is not right is refused with the code of allauth for that."""
        code = str(self.cleaned_data["code"])
        if second_factor.check(self.user, code):
            return code
        if second_factor.is_closed(self.user):
            raise forms.ValidationError(second_factor.TOO_MANY, code="too_many_login_attempts")
        raise forms.ValidationError(second_factor.WRONG)

    def save(self, **more: Any) -> None:
        """Note in the session that this step is done."""
        record_authentication(context.request, self.user, "mfa", **more)


class ConfirmCodeForm(CodeForm):
    """The same, once more before something that matters."""

    def save(self, **more: Any) -> None:
        """Note in the session that the person has just shown who they are."""
        super().save(reauthenticated=True, **more)


class SetUpForm(VerbForm):
    """The first code of an app, as proof that it holds the key."""

    code = code_field("Six digits that the app shows now.")


class NothingForm(VerbForm):
    """Nothing to fill in: only what a verb refused."""


class PolicyForm(VerbForm):
    """Who needs a second factor in an organization."""

    policy = forms.ChoiceField(
        label="Who needs a second factor",
        choices=SecondFactorPolicy.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of the three.", "invalid_choice": "Choose one of the three."},
    )

    def __init__(self, *arguments: Any, organization: Organization, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.initial = {"policy": organization.second_factor}
