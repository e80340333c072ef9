"""Test connection on every page that has it: one way to run it, to refuse it, and to show what came of it."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from ai_llm import forms, key_shapes, providers, repeats, validation
from flashback.errors import Conflict, Invalid
from workspaces.address import Request
from workspaces.models import Workspace

PRACTISED = "This is the sandbox provider: enter a secret that it printed as it was started, and never a real one."


def run(form: Form, check: Callable[[], validation.Result], *, besides: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Run `check` and return {"result"} for the page, or {"busy", "wait"}; what is wrong is added to the form's errors.

    Errors of the fields in `besides` do not matter for the check. A form in order is left as it is: nothing was sent.
    """
    if not form.is_valid() and form.errors.keys() - besides:
        return {"refused": True}
    try:
        return {"result": validation.present(check())}
    except Invalid as invalid:
        forms.refuse(form, invalid)
        return {"refused": True}
    except validation.Busy as busy:
        return {"busy": busy.message, "wait": busy.retry_after}
    except Conflict as conflict:  # deleted in the meantime: what was typed is still worth keeping
        form.add_error(None, conflict.message)
        return {"refused": True}


def piece(request: Request, form: Form, tested: Mapping[str, Any]) -> HttpResponse:
    """Answer a test with what is swapped below the form, which itself stays as it was typed."""
    values = {"form": form, **tested}
    return render(request, "ai_llm/_tested.html", values, status=422 if tested.get("refused") else 200)


def page(
    request: Request, template: str, values: Mapping[str, Any], form: Form, tested: Mapping[str, Any]
) -> HttpResponse:
    """Answer with the whole page after a test or a refused form; one test too many is told when to come back."""
    answer = render(request, template, dict(values), status=status(form, tested))
    if "wait" in tested:
        answer.headers["Retry-After"] = str(tested["wait"])
    return answer


def status(form: Form, tested: Mapping[str, Any]) -> int:
    """Return the status of the whole page after a test or a refused form."""
    if "busy" in tested:
        return 429
    if "result" in tested:
        return 200
    return 422 if form.is_bound and form.errors else 200


@sensitive_variables("typed", "secret", "key")
def hints(workspace: Workspace, type: str, endpoint: str, typed: Mapping[str, str]) -> list[str]:
    """Return what looks wrong about the typed secret and key, and who uses it already. Their text is in none of it."""
    secret, key = typed.get("secret", ""), typed.get("key", "")
    if not secret and not key:
        return []
    return key_shapes.warnings(type, endpoint, secret, key) + repeats.warnings(workspace, secret)


def live(workspace: Workspace, type: str, endpoint: str) -> dict[str, str]:
    """Return the attributes of a secret's input that has it looked at once it was pasted, or typing has paused.

    Not when it is left: that happens as a button is pressed, and a hint that appears then would move it away.
    The secret travels in the body of that request only, and none of the answer repeats it.
    """
    about = urlencode({"type": type, "endpoint": endpoint})
    return {
        "hx_post": f"{reverse('ai_llm_hints', args=[workspace.slug])}?{about}",
        "hx_trigger": "paste delay:100ms, input changed delay:600ms",
        "hx_target": "#hints",
        "hx_swap": "innerHTML",
        "hx_sync": "this:replace",
        "hx_push_url": "false",
        "hx_params": "type,endpoint,secret,key",
        "hx_indicator": "#hints",
    }


def secret_hint(type: str, endpoint: str) -> str:
    """Return the line below an input for a secret: what it looks like at this provider, or at the sandbox provider."""
    provider = providers.PROVIDERS[type]
    recipe = provider.recipe(endpoint)
    return PRACTISED if recipe is not None and recipe.practice else provider.secret_help


def make_key_url(type: str, endpoint: str) -> str:
    """Return where a new key is made: at the host that was recognised, else at the provider of the type; or ""."""
    provider = providers.PROVIDERS[type]
    recipe = provider.recipe(endpoint)
    return recipe.make_key_url if recipe is not None else provider.make_key_url
