"""The form of an API token."""

from typing import Any

from django import forms

from workspaces import tokens
from workspaces.forms import VerbForm
from workspaces.once import OnceForm
from workspaces.token_models import Scope

LIVES = {"7": "7 days", "30": "30 days", "90": "90 days", "180": "180 days", "365": "A year"}


class NewTokenForm(OnceForm, VerbForm):
    """A token that is not there yet."""

    name = forms.CharField(
        label="Name",
        help_text="The program that uses it, for example deploy-pipeline. The audit log shows it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "deploy-pipeline"}),
        error_messages={"required": "Enter a name, for example deploy-pipeline."},
    )
    scope = forms.ChoiceField(
        label="What it may do",
        help_text="Never more than you may. People, members, tokens and the audit log are out of its reach.",
        choices=Scope.choices,
        initial=Scope.READ,
        error_messages={"required": "Choose what it may do."},
    )
    days = forms.ChoiceField(
        label="Ends after",
        help_text="Then make another one; a year is the most.",
        choices=list(LIVES.items()),
        initial=str(tokens.DEFAULT_DAYS),
        error_messages={"required": "Choose when it ends."},
    )
    field_order = ("name", "scope", "days", "row")

    def values(self) -> dict[str, Any]:
        """Return what the verb takes."""
        data = self.cleaned_data
        return {"name": data["name"], "scope": data["scope"], "days": int(data["days"]), "id": data["row"]}
