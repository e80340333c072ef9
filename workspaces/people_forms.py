"""The forms about an organization, its people and their invitations."""

from typing import Any

from django import forms

from flashback import mail
from workspaces.access import Access, OrganizationRole
from workspaces.forms import EMAIL, VerbForm
from workspaces.models import Organization, User, Workspace

WORDS = {
    OrganizationRole.USER: "User: works in the workspaces they are a member of",
    OrganizationRole.BILLING: "Billing: as User, and billing",
    OrganizationRole.WORKSPACES: "Workspaces: also creates workspaces and manages people",
    OrganizationRole.ADMINISTRATOR: "Administrator: also ADMIN everywhere, profile and audit log",
    OrganizationRole.OWNER: "Owner: everything",
}
GONE = (
    "A workspace that you chose was deleted, or you are not its ADMIN any more. Look at the workspaces below once more."
)
BY_MAIL = [("mail", "By mail, to this address"), ("link", "I copy the link and hand it over")]
BY_HAND = [BY_MAIL[1], ("mail", "I copy the link; a mail with it is printed in the server's terminal, too")]


def role_field(actor: User, **values: Any) -> forms.TypedChoiceField:
    """Return the choice of an organization role, up to the actor's own."""
    offered = [(role.value, text) for role, text in WORDS.items() if role <= actor.organization_role]
    return forms.TypedChoiceField(
        label="Role in the organization",
        choices=offered,
        coerce=int,
        error_messages={"required": "Choose a role.", "invalid_choice": "Choose a role from the list."},
        **values,
    )


class OrganizationForm(VerbForm):
    """The profile. `organizations.update` checks what the values mean."""

    name = forms.CharField(
        label="Name of the organization", error_messages={"required": "Enter a name of the organization."}
    )
    domain = forms.CharField(required=False, help_text="The one of your mail addresses, for example example.com.")
    website = forms.CharField(required=False, widget=forms.TextInput({"inputmode": "url", "autocomplete": "url"}))
    address1 = forms.CharField(label="Address", required=False)
    address2 = forms.CharField(label="Address, second line", required=False)
    city = forms.CharField(required=False)
    zipcode = forms.CharField(label="Postal code", required=False)
    state = forms.CharField(label="State or region", required=False)
    country = forms.CharField(required=False)
    phone = forms.CharField(required=False, widget=forms.TextInput({"type": "tel"}))
    is_business = forms.BooleanField(label="This is a business", required=False)

    def __init__(self, *arguments: Any, organization: Organization, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.initial = {name: getattr(organization, name) for name in self.fields}


class NamesForm(VerbForm):
    """What a person is called."""

    name = forms.CharField(label="First name", required=False)
    last_name = forms.CharField(label="Last name", required=False)


class PersonRoleForm(VerbForm):
    """The role of a person in the organization."""

    def __init__(self, *arguments: Any, actor: User, person: User, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["role"] = role_field(actor, initial=person.organization_role)


class ConfirmForm(VerbForm):
    """Nothing to fill in: only what a verb refused."""


class TypedNameForm(VerbForm):
    """The name of what is about to go, typed by hand."""

    name = forms.CharField(widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *arguments: Any, typed: str, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["name"].label = f"Type {typed} to confirm"
        self.fields["name"].error_messages["required"] = f"Type {typed} to confirm."


class InviteForm(VerbForm):
    """Whom to invite, with which roles, and how the link gets there."""

    MOST = 50  # workspaces to choose from; the others can follow once the person is there
    PLACE = "workspace-"

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput({**EMAIL, "autocomplete": "off"}),
        error_messages={
            "required": "Enter an e-mail address, such as name@example.com.",
            "invalid": "Enter an e-mail address, such as name@example.com.",
        },
    )

    def __init__(self, *arguments: Any, actor: User, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["role"] = role_field(actor, initial=OrganizationRole.USER)
        self.places = {f"{self.PLACE}{place.pk}": place for place in manageable(actor)[: self.MOST]}
        for name, place in self.places.items():
            self.fields[name] = forms.ChoiceField(
                label=place.name,
                choices=[("", "No access"), *Access.role_choices()],
                initial=Access.READ.name if place.pk == actor.last_workspace_id else "",
                required=False,
                error_messages={"invalid_choice": "Choose a role from the list."},
            )
        delivered = mail.delivers()
        self.fields["way"] = forms.ChoiceField(
            label="How the link gets there",
            choices=BY_MAIL if delivered else BY_HAND,
            initial="mail" if delivered else "link",
            help_text="" if delivered else "No mail server is configured: hand the link over yourself.",
            error_messages={"required": "Choose one.", "invalid_choice": "Choose one from the list."},
        )

    def clean(self) -> dict[str, Any] | None:
        """Refuse a workspace that was chosen and is not offered any more: an invitation without it is another one."""
        chosen = {name for name in self.data if name.startswith(self.PLACE) and self.data[name]}
        if chosen - set(self.places):
            self.add_error(None, GONE)
        return super().clean()

    @property
    def place_fields(self) -> list[forms.BoundField]:
        """The choices of a role in each workspace."""
        return [self[name] for name in self.places]

    def promised(self) -> dict[Workspace, str]:
        """Return the workspaces that were chosen, with the role in each."""
        values = self.cleaned_data
        return {place: values[name] for name, place in self.places.items() if values.get(name)}


def manageable(actor: User) -> list[Workspace]:
    """Return the workspaces that `actor` can add people to, by name."""
    rows = Workspace.objects.visible_to(actor).select_related("organization").order_by("name_key")
    if actor.organization_role < OrganizationRole.ADMINISTRATOR:
        rows = rows.filter(memberships__user=actor, memberships__role=Access.ADMIN.name)
    return list(rows)
