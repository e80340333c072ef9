"""The form of one tiny message: which model takes it, what it costs, and a token that lets one click send once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from uuid import uuid4

from django import forms
from django.core import signing
from django.core.cache import cache
from django.template.loader import render_to_string

from ai_llm import message
from ai_llm.models import AiLlm
from ai_llm.providers import PROVIDERS, addresses, sizes, talk
from flashback.errors import Invalid
from workspaces.models import User

SALT = "ai_llm.one-tiny-message"
VALID_SECONDS = 3600
# While a message is under way, other pages say so; a little longer than it can take.
UNDER_WAY_SECONDS = 15
STALE = "This form is too old, or this AI LLM was changed since. Look at it again, then send the message."
CHOOSE = "Choose a model of the list, or enter the name of one."


class Fields(forms.Form):
    """A model of the account's own list (the best to choose first), or one entered by hand."""

    model = forms.ChoiceField(label="Model", error_messages={"invalid_choice": CHOOSE, "required": CHOOSE})
    other = forms.CharField(
        label="Model",
        required=False,
        max_length=message.LONGEST_MODEL,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"max_length": message.NOT_A_MODEL, "required": message.NO_MODEL},
    )

    def __init__(self, data: Any = None, *, ranked: Sequence[str], deployment: bool) -> None:
        super().__init__(data, auto_id="message_%s")
        self.fields["other"].label = _label(deployment, bool(ranked))
        self.fields["other"].required = not ranked
        if not ranked:
            del self.fields["model"]
            return
        self.fields["model"].choices = [(name, name) for name in ranked]  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["model"].required = not self.data.get("other", "").strip()


class MessageForm(Fields):
    """What was sent: a model, and the token of a form that was made for this person and this state of the AI LLM."""

    once = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any, *, actor: User, ai_llm: AiLlm, names: Sequence[str]) -> None:
        ranked, deployment = _listed(ai_llm, names)
        super().__init__(data, ranked=ranked, deployment=deployment)
        self.signed_for = _signed_for(actor, ai_llm)

    def clean_other(self) -> str:
        """Accept what can be the name of a model, or nothing."""
        try:
            return message.clean_model(self.cleaned_data["other"])
        except Invalid as invalid:
            raise forms.ValidationError(invalid.message) from None

    def clean(self) -> dict[str, Any]:
        """Demand a model, and a token that was made for this person and this state of the AI LLM within an hour."""
        cleaned = super().clean() or {}
        chosen = cleaned.get("other") or cleaned.get("model")
        try:
            self.number, *signed_for = signing.loads(cleaned.get("once", ""), salt=SALT, max_age=VALID_SECONDS)
        except (signing.BadSignature, ValueError):
            signed_for = []
        if signed_for != self.signed_for and not self.errors:
            self.add_error(None, STALE)
        return {**cleaned, "chosen": chosen}

    def first_time(self) -> bool:
        """Take the token of a valid form; False when a message was sent with it before."""
        return bool(cache.add(f"message:{self.number}", "sent", timeout=VALID_SECONDS + 60))

    def not_sent(self) -> None:
        """Give the token back: nothing was sent, so the same form may be sent again."""
        cache.delete(f"message:{self.number}")


def offer(actor: User, ai_llm: AiLlm, names: Sequence[str], *, form: MessageForm | None = None) -> dict[str, Any]:
    """Return what the piece with the button needs: {"offer": {form, fields, fresh, choice, provider, own, room, …}}.

    `form` is what was sent, if anything, and `fields` its fields as HTML. `fresh` is the token of a form that was not
    sent yet, `choice` the model that is chosen at first, and `own` says that a server of one's own takes the message.
    """
    ranked, deployment = _listed(ai_llm, names)
    choice = sizes.choose(ranked)
    recipe = PROVIDERS[ai_llm.type].recipe(ai_llm.endpoint)
    host = addresses.host_of(ai_llm.endpoint)
    return {
        "offer": {
            "form": form,
            "fields": _drawn(form, choice) if form else _blank(tuple(ranked), deployment, choice),
            "fresh": signing.dumps([str(uuid4()), *_signed_for(actor, ai_llm)], salt=SALT),
            "choice": choice,
            "provider": recipe.name if recipe and not recipe.keyless else host,
            "own": ai_llm.keyless or not addresses.is_public(host),
            "room": talk.ROOM_TO_THINK,
            "under_way": is_under_way(ai_llm),
        }
    }


def _listed(ai_llm: AiLlm, names: Sequence[str]) -> tuple[list[str], bool]:
    """Return the models to choose from, and whether this endpoint has deployments in their place (and no list)."""
    deployment = talk.names_deployments(ai_llm.type, ai_llm.endpoint)
    return [] if deployment else sizes.ranked(names), deployment


def _signed_for(actor: User, ai_llm: AiLlm) -> list[Any]:
    return [str(actor.pk), str(ai_llm.pk), ai_llm.version]


@lru_cache(maxsize=64)
def _blank(ranked: tuple[str, ...], deployment: bool, choice: sizes.Choice | None) -> str:
    """Return the fields before anything was sent; every page of an AI LLM has them, so that they are drawn once."""
    return _drawn(Fields(ranked=ranked, deployment=deployment), choice)


def _drawn(form: Fields, choice: sizes.Choice | None) -> str:
    return render_to_string("ai_llm/_message_fields.html", {"form": form, "choice": choice})


@contextmanager
def sending(ai_llm: AiLlm) -> Iterator[None]:
    """Have every page say that a message is under way, until the block ends."""
    cache.set(_name(ai_llm), "under way", timeout=UNDER_WAY_SECONDS)
    try:
        yield
    finally:
        cache.delete(_name(ai_llm))


def is_under_way(ai_llm: AiLlm) -> bool:
    """Return whether a message to this AI LLM was begun and is not answered yet."""
    return cache.get(_name(ai_llm)) is not None


def _name(ai_llm: AiLlm) -> str:
    return f"message-under-way:{ai_llm.pk}"


def _label(deployment: bool, listed: bool) -> str:
    if deployment:
        return "Deployment"
    return "Name of another model" if listed else "Name of the model"
