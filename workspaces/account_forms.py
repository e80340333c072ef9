"""The forms of one's own account page."""

from django import forms

from workspaces.account_models import Theme
from workspaces.forms import EMAIL, VerbForm
from workspaces.models import User

AUTO = "auto"  # a blank would read like a field that may stay empty


class AccountForm(VerbForm):
    """What a person is called, how the console looks for them, and which mails they want."""

    name = forms.CharField(label="First name", required=False, widget=forms.TextInput({"autocomplete": "given-name"}))
    last_name = forms.CharField(
        label="Last name", required=False, widget=forms.TextInput({"autocomplete": "family-name"})
    )
    theme = forms.ChoiceField(
        label="Theme",
        choices=[(value or AUTO, label) for value, label in Theme.choices],
        help_text="On all your devices. The switch at the top changes it too.",
        error_messages={"required": "Choose one of the three.", "invalid_choice": "Choose one of the three."},
    )
    reminder_mails = forms.BooleanField(
        label="Mail me a reminder before secrets expire",
        required=False,
        help_text="One mail a day at most, about the workspaces that you look after.",
    )
    rejection_mails = forms.BooleanField(
        label="Mail me when a provider rejects a stored secret",
        required=False,
        help_text="Found by scheduled checks, in the workspaces that you look after.",
    )

    @classmethod
    def of(cls, person: User) -> "AccountForm":
        """Return the form with what is stored."""
        stored = {name: getattr(person, name) for name in cls.base_fields}
        return cls(initial={**stored, "theme": person.theme or AUTO})

    def clean_theme(self) -> str:
        """Return the theme as it is stored."""
        chosen = str(self.cleaned_data["theme"])
        return "" if chosen == AUTO else chosen


class EmailForm(VerbForm):
    """The address to move to."""

    email = forms.CharField(
        label="New e-mail address",
        help_text="You keep signing in with the present one until you follow the link to the new one.",
        widget=forms.TextInput({**EMAIL, "autocomplete": "email"}),
        error_messages={"required": "Enter the address to move to."},
    )
