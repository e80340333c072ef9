"""The forms about people and workspaces. They check shape; allauth and the verbs check what the values mean."""

from typing import Any

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows import password_reset
from allauth.core import context
from django import forms
from django.http import HttpRequest

from flashback.errors import Invalid
from workspaces import members, spaces
from workspaces.access import Access
from workspaces.invitation_models import Invitation
from workspaces.models import User, Workspace

AT_LEAST = "At least 12 characters. A few unrelated words are easy to remember and hard to guess."
EMAIL = {"type": "email", "autocomplete": "username", "inputmode": "email", "spellcheck": "false"}


def _dress(field: forms.Field, label: str, help_text: str = "", **attributes: str) -> None:
    """Put our words on a field of allauth's; a placeholder that repeats the label says nothing."""
    field.label, field.help_text = label, help_text
    field.error_messages["required"] = f"Enter the {label[0].lower()}{label[1:]}."
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


class VerbForm(forms.Form):
    """A form whose values a verb checks for what they mean."""

    def take(self, errors: dict[str, str]) -> None:
        """Put what a verb refused beside the fields; what is about no field here is about the whole form."""
        for field, message in errors.items():
            self.add_error(field if field in self.fields else None, message)


class SetupForm(VerbForm):
    """What the first owner says about themselves; `organizations.found` checks what the values mean."""

    organization = forms.CharField(
        help_text="Your company or team.", widget=forms.TextInput({"autocomplete": "organization"})
    )
    workspace = forms.CharField(help_text="Where people and AI LLMs live. You can add more later.", initial="Main")
    name = forms.CharField(label="First name", required=False, widget=forms.TextInput({"autocomplete": "given-name"}))
    last_name = forms.CharField(
        label="Last name", required=False, widget=forms.TextInput({"autocomplete": "family-name"})
    )
    email = forms.CharField(label="E-mail address", help_text="You sign in with it.", widget=forms.TextInput(EMAIL))
    password = forms.CharField(
        strip=False, help_text=AT_LEAST, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )


def _workspace_name() -> forms.CharField:
    return forms.CharField(
        label="Workspace name",
        help_text="A team or a product, for example. It is unique in your organization.",
        widget=forms.TextInput({"autocomplete": "off"}),
        error_messages={"required": "Enter a workspace name, for example Platform."},
    )


class NewWorkspaceForm(VerbForm):
    """What a workspace is called; its address follows from it."""

    name = _workspace_name()


class RenameForm(VerbForm):
    """Another name for a workspace. `was` is the one that the person looked at; the page prints it as it is now."""

    name = _workspace_name()
    keep_slug = forms.BooleanField(
        required=False, help_text="Otherwise the address follows the name. Links with the old one go on working."
    )
    was = forms.CharField(required=False)

    def __init__(self, *arguments: Any, workspace: Workspace, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.initial = {"name": workspace.name, "keep_slug": not spaces.has_slug_of_name(workspace)}
        self.fields["keep_slug"].label = f"Keep the address /w/{workspace.slug}"


def _role(first: str = "") -> forms.ChoiceField:
    words = {
        Access.READ: "READ: sees everything but secrets",
        Access.WRITE: "WRITE: also adds, changes, validates and deletes",
        Access.ADMIN: "ADMIN: also manages members and settings",
    }
    return forms.ChoiceField(
        label="Role",
        choices=[(access.name, text) for access, text in words.items()],
        initial=first,
        error_messages={"required": "Choose a role.", "invalid_choice": "Choose a role from the list."},
    )


class RoleForm(VerbForm):
    """The role of a member."""

    role = _role()


class RemoveMemberForm(VerbForm):
    """Nothing to fill in: only what a verb refused."""


class AddMemberForm(VerbForm):
    """Whom to add, chosen from a list or named by e-mail address, and with which role."""

    MOST = 200  # people in the list; beyond that it is no help and a page too heavy

    email = forms.EmailField(
        label="E-mail address",
        required=False,
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"invalid": "Enter an e-mail address, such as name@example.com."},
    )
    role = _role(Access.READ.name)

    def __init__(self, *arguments: Any, actor: User, workspace: Workspace, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.actor = actor
        people = {str(person.pk): person for person in members.candidates(actor, workspace)[: self.MOST + 1]}
        self.people = people if len(people) <= self.MOST else {}
        if self.people:
            self.fields = {"person": _person(self.people), **self.fields}
            self.fields["email"].help_text = "Instead of choosing from the list."
        else:
            self.fields["email"].help_text = "Somebody of your organization."

    def clean(self) -> dict[str, Any]:
        """Return the values with `person` as the one to add, however it was named."""
        values = super().clean() or {}
        chosen, email = values.get("person"), values.pop("email", "")
        if self.errors:
            return values
        if chosen and email:
            raise forms.ValidationError("Choose a person or enter an e-mail address, not both.")
        if not chosen and not email:
            self.add_error(next(iter(self.fields)), "Choose a person, or enter an e-mail address.")
            return values
        return {**values, "person": self.people[chosen] if chosen else self._by_email(email)}

    def take(self, errors: dict[str, str]) -> None:
        """Put what is about the person beside the field that was used to name them."""
        about = errors.get("person")
        if about and self.data.get("email"):
            errors = {**errors, "email": about}
            del errors["person"]
        super().take(errors)

    def _by_email(self, email: str) -> User | None:
        try:
            return members.by_email(self.actor, email)
        except Invalid as invalid:
            self.take(invalid.errors)
            return None


def _person(people: dict[str, User]) -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=[("", "Choose a person"), *((key, _name_and_email(person)) for key, person in people.items())],
        required=False,
        help_text="People of your organization who are no members yet.",
        error_messages={"invalid_choice": "This person can no longer be added. Choose another one."},
    )


def _name_and_email(person: User) -> str:
    return f"{person.full_name} ({person.email})" if person.full_name else person.email


class AcceptForm(VerbForm):
    """Who somebody with an invitation is, and the password they choose; `invitations.accept` checks the values."""

    name = forms.CharField(label="First name", required=False, widget=forms.TextInput({"autocomplete": "given-name"}))
    last_name = forms.CharField(
        label="Last name", required=False, widget=forms.TextInput({"autocomplete": "family-name"})
    )
    password = forms.CharField(
        strip=False, help_text=AT_LEAST, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def __init__(self, *arguments: Any, invitation: Invitation, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        person = invitation.person
        self.initial = {"name": person.name, "last_name": person.last_name} if person else {}
