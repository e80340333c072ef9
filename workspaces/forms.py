"""The forms of sign-in, passwords and setup. They check shape; allauth and the verbs check what the values mean."""

from typing import Any

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows import password_reset
from allauth.core import context
from django import forms
from django.http import HttpRequest

AT_LEAST = "At least 12 characters. A few unrelated words are easy to remember and hard to guess."
EMAIL = {"type": "email", "autocomplete": "username", "inputmode": "email", "spellcheck": "false"}


def _dress(field: forms.Field, label: str, help_text: str = "", **attributes: str) -> None:
    """Put our words on a field of allauth's; a placeholder that repeats the label says nothing."""
    field.label, field.help_text = label, help_text
    field.widget.attrs.pop("placeholder", None)
    field.widget.attrs.update(attributes)


class LoginForm(allauth.LoginForm):  # type: ignore[misc]  # allauth ships no types
    """E-mail address and password."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _dress(self.fields["login"], "E-mail address", **EMAIL)
        _dress(self.fields["password"], "Password")


class ResetPasswordForm(allauth.ResetPasswordForm):  # type: ignore[misc]  # allauth ships no types
    """The address that a reset link is asked for."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _dress(self.fields["email"], "E-mail address", **EMAIL)

    def save(self, request: HttpRequest, **keywords: Any) -> str:
        """Send the link, or to an address without an account a mail that says so: both cases do the same work."""
        email = str(self.cleaned_data["email"])
        if self.users:
            password_reset.request_password_reset(request, email, self.users, keywords.get("token_generator"))
        else:
            get_adapter().send_mail("account/email/unknown_account", email, {})
        return email


class ResetPasswordKeyForm(allauth.ResetPasswordKeyForm):  # type: ignore[misc]  # allauth ships no types
    """A new password, typed by somebody who followed a reset link."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _dress(self.fields["password1"], "New password", AT_LEAST)
        _dress(self.fields["password2"], "New password, again")

    def save(self) -> None:
        """Store the password and forget the failures that led here."""
        super().save()
        get_adapter().forget_failures(context.request, self.user.email)


class ChangePasswordForm(allauth.ChangePasswordForm):  # type: ignore[misc]  # allauth ships no types
    """The current password and a new one."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _dress(self.fields["oldpassword"], "Current password")
        _dress(self.fields["password1"], "New password", AT_LEAST)
        _dress(self.fields["password2"], "New password, again")


class SetPasswordForm(allauth.SetPasswordForm):  # type: ignore[misc]  # allauth ships no types
    """A first password for somebody who has none."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _dress(self.fields["password1"], "New password", AT_LEAST)
        _dress(self.fields["password2"], "New password, again")


class ReauthenticateForm(allauth.ReauthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The password once more, before something that matters."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        _dress(self.fields["password"], "Password")


class SetupForm(forms.Form):
    """What the first owner says about themselves; `organizations.found` checks what the values mean."""

    organization = forms.CharField(
        help_text="Your company or team.", widget=forms.TextInput({"autocomplete": "organization"})
    )
    workspace = forms.CharField(help_text="Where people and AI LLMs live. You can add more later.", initial="Main")
    name = forms.CharField(label="Your name", required=False, widget=forms.TextInput({"autocomplete": "name"}))
    email = forms.CharField(label="E-mail address", help_text="You sign in with it.", widget=forms.TextInput(EMAIL))
    password = forms.CharField(
        strip=False, help_text=AT_LEAST, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def take(self, errors: dict[str, str]) -> None:
        """Put what a verb refused beside the fields; the field "" is the whole form."""
        for field, message in errors.items():
            self.add_error(field or None, message)
