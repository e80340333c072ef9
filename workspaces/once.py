"""Forms that make a row once, however often they are sent."""

from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core import signing
from django.db.models import Model

from workspaces.models import User

SALT = "workspaces.once"


class OnceForm(forms.Form):
    """A form that makes a row: it carries the row's id, signed for this person and place, so that it makes it once."""

    row = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, actor: User, place: Model, **keywords: Any) -> None:
        self.signed_for = [type(self).__name__, str(actor.pk), str(place.pk)]
        super().__init__(*arguments, **keywords)
        self.initial = {"row": signing.dumps([str(uuid4()), *self.signed_for], salt=SALT), **self.initial}

    def clean_row(self) -> UUID:
        """Return the id, or refuse a form that was made for somebody else or tampered with."""
        try:
            row, *signed_for = signing.loads(self.cleaned_data["row"], salt=SALT)
        except (signing.BadSignature, ValueError):
            signed_for = []
        if signed_for != self.signed_for:
            raise forms.ValidationError("This form was made for another person or place. Open it again.")
        return UUID(row)
