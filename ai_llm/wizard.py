"""The wizard Add AI LLM. The server keeps no state: answers travel in the address, the secret only in the last POST.

What is typed is posted first; only values that passed validation reach the address, by 303, so that a pasted
`user:password@` or `?key=` is in no history and no log. Which step is shown is computed from the address.
"""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ai_llm import configs, doctor, forms, permits, providers, trying, validation
from ai_llm.models import Type
from ai_llm.providers import recipes, vertex
from ai_llm.providers.facts import Preset
from flashback.errors import Invalid
from flashback.web import see_other
from workspaces import access
from workspaces.access import Access
from workspaces.address import Request, in_workspace

TITLES = ("Type", "Configuration", "Credentials", "Validate and operate")


@sensitive_post_parameters("secret", "key")
@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def new(request: Request) -> HttpResponse:
    """Show or take the step that the address asks for: type, then configuration, then credentials."""
    access.require(request.user, request.workspace, Access.WRITE)
    type_ = request.GET.get("type", "")
    if type_ not in Type.values:
        return _choose_type(request, type_)
    if request.method == "POST":
        return _take_credentials(request, type_) if "row" in request.POST else _take_configuration(request, type_)
    answered = "name" in request.GET and "endpoint" in request.GET
    if not answered:
        return _ask_configuration(request, type_, _configuration(request, type_, None))
    form = _configuration(request, type_, request.GET)
    if request.GET.get("step") == "configuration" or not form.is_valid():
        return _ask_configuration(request, type_, form)
    return _ask_credentials(request, type_, form.cleaned_data, _credentials(request, type_))


@require_POST
@in_workspace
def examine(request: Request) -> HttpResponse:
    """Answer the endpoint field while it is typed: the URL that will be called, and a fix for each known slip.

    A fix that was clicked comes back as the whole field, with the fix in it.
    """
    access.require(request.user, request.workspace, Access.WRITE)
    type_ = request.POST.get("type", "")
    if type_ not in Type.values:
        raise Invalid({"type": "Choose an AI LLM type first."})
    if not request.htmx:
        return see_other(_address(request, {"type": type_}))
    form = _configuration(request, type_, forms.with_fix(request.POST))
    values = {"form": form, "provider": providers.PROVIDERS[type_], **examined(form)}
    fixed = "fix" in request.POST
    if fixed:
        form.errors.clear()
    return render(request, "ai_llm/_endpoint.html" if fixed else "ai_llm/_doctor.html", values | {"fixed": fixed})


@sensitive_post_parameters("secret", "key")
@require_POST
@in_workspace
def hints(request: Request) -> HttpResponse:
    """Answer a secret that was pasted or left: what looks wrong about its shape. Nothing of it is kept or sent back."""
    access.require(request.user, request.workspace, Access.WRITE)
    type_ = request.POST.get("type") or request.GET.get("type", "")
    endpoint = request.POST.get("endpoint") or request.GET.get("endpoint", "")
    if type_ not in Type.values:
        raise Invalid({"type": "Choose an AI LLM type first."})
    if not request.htmx:
        return see_other(_address(request, {"type": type_}))
    return render(
        request, "ai_llm/_hints.html", {"warnings": trying.hints(request.workspace, type_, endpoint, request.POST)}
    )


def _choose_type(request: Request, type_: str) -> HttpResponse:
    tiles = [
        {
            "type": provider.type,
            "label": provider.label,
            "summary": provider.summary,
            "url": _address(request, {"type": name}),
        }
        for name, provider in providers.PROVIDERS.items()
    ]
    unknown = f"There is no AI LLM type “{type_[:40]}”. Choose one of these." if type_ else ""
    values = {"tiles": tiles, "steps": _steps(request, 0, {}), "unknown": unknown}
    return render(request, "ai_llm/new_type.html", values, status=404 if unknown else 200)


def _configuration(request: Request, type_: str, data: QueryDict | None) -> forms.ConfigurationForm:
    initial = {"endpoint": providers.PROVIDERS[type_].default_endpoint}
    return forms.ConfigurationForm(data, workspace=request.workspace, type=type_, initial=initial)


def _take_configuration(request: Request, type_: str) -> HttpResponse:
    posted: QueryDict = request.POST
    asked = posted.get("action") == "preset"
    chosen = next((preset for preset in presets(type_) if preset.slug == posted.get("preset")), None)
    untouched = posted.get("endpoint", "").strip() in {"", providers.PROVIDERS[type_].default_endpoint}
    if chosen is not None and (asked or untouched):
        posted = forms.with_preset(posted, chosen.endpoint, chosen.slug)
    form = _configuration(request, type_, forms.with_fix(posted))
    if asked:
        form.errors.clear()  # filled in, not sent: nothing is wrong yet
    if asked or "fix" in posted or not form.is_valid():
        return _ask_configuration(request, type_, form)
    return see_other(_address(request, {"type": type_, **form.cleaned_data}))


def presets(type_: str) -> list[Preset]:
    """Return the known hosts that step 2 offers: those that speak the OpenAI form, and Google's other door."""
    if type_ == Type.GOOGLE:
        return [vertex.PRESET]
    return list(recipes.presets()) if type_ in {Type.OPENAI, Type.OTHER} else []


def examined(form: forms.ConfigurationForm) -> dict[str, Any]:
    """Return what the endpoint field shows below itself: the doctor's findings, and the line for the operator."""
    endpoint = str(form["endpoint"].value() or "")
    if not endpoint:
        return {}
    examination = doctor.examine(endpoint, form.type)
    return {"examination": examination, "permit": permits.for_endpoint(endpoint, examination.findings)}


def _ask_configuration(request: Request, type_: str, form: forms.ConfigurationForm) -> HttpResponse:
    values = {
        "form": form,
        "provider": providers.PROVIDERS[type_],
        "presets": presets(type_),
        "steps": _steps(request, 1, {"type": type_}),
        **examined(form),
    }
    return render(
        request, "ai_llm/new_configuration.html", values, status=422 if form.is_bound and form.errors else 200
    )


def _credentials(request: Request, type_: str, data: QueryDict | None = None) -> forms.NewCredentialsForm:
    return forms.NewCredentialsForm(data, actor=request.user, workspace=request.workspace, type=type_)


def _take_credentials(request: Request, type_: str) -> HttpResponse:
    configuration, form = _configuration(request, type_, request.GET), _credentials(request, type_, request.POST)
    shown = _shown(configuration)
    if request.POST.get("action") == "test":
        return _test(request, type_, shown, form)
    if not form.is_valid():
        return _ask_credentials(request, type_, shown, form)
    row = form.cleaned_data["row"]
    try:
        ai_llm = configs.create(request.user, request.workspace, id=row, type=type_, **(form.typed() | shown))
    except Invalid as invalid:
        if invalid.errors.keys() & {"name", "endpoint"}:
            if configuration.is_valid():
                forms.refuse(configuration, invalid)
            return _ask_configuration(request, type_, configuration)
        forms.refuse(form, invalid)
        return _ask_credentials(request, type_, shown, form)
    except configs.AlreadyCreated as already:
        return render(request, "ai_llm/already.html", {"ai_llm": already.ai_llm}, status=409)
    return see_other("ai_llm", slug=request.workspace.slug, id=ai_llm.pk)


def _shown(configuration: forms.ConfigurationForm) -> dict[str, str]:
    return {name: configuration.data.get(name, "") for name in ("name", "endpoint")}


def _test(request: Request, type_: str, shown: dict[str, str], form: forms.NewCredentialsForm) -> HttpResponse:
    """Run the check with what was typed. Nothing is saved; with scripts only the result is swapped, the input stays."""

    def run() -> validation.Result:
        endpoint = shown["endpoint"]
        return configs.test(request.user, request.workspace, type=type_, endpoint=endpoint, **form.typed())

    tested = trying.run(form, run) | _about(request, type_, shown)
    if request.htmx:
        return trying.piece(request, form, tested)
    return _ask_credentials(request, type_, shown, form, **tested)


def _about(request: Request, type_: str, shown: dict[str, str]) -> dict[str, Any]:
    """Return what the result of a test needs to lead on: where a corrected endpoint is taken, and a key is made."""
    step = {"type": type_, "name": shown["name"], "step": "configuration"}
    return {
        "fixes": _address(request, step),
        "back": _address(request, {**step, "endpoint": shown["endpoint"]}),
        "make_key_url": trying.make_key_url(type_, shown["endpoint"]),
    }


def _ask_credentials(
    request: Request, type_: str, shown: dict[str, str], form: forms.NewCredentialsForm, **more: Any
) -> HttpResponse:
    examination = doctor.examine(shown["endpoint"], type_)
    values = {
        "form": form,
        "provider": providers.PROVIDERS[type_],
        "shown": shown,
        "examination": examination,
        "doubts": _doubts(request, type_, shown, examination),
        "final_url": examination.final_url,
        "secret_hint": trying.secret_hint(type_, shown["endpoint"]),
        "warnings": trying.hints(request.workspace, type_, shown["endpoint"], form.data)
        if "secret" not in form.errors
        else [],
        "live": trying.live(request.workspace, type_, shown["endpoint"]),
        "steps": _steps(request, 2, {"type": type_, **shown}),
        **_about(request, type_, shown),
        **more,
    }
    return trying.page(request, "ai_llm/new_credentials.html", values, form, more)


def _doubts(
    request: Request, type_: str, shown: dict[str, str], examination: doctor.Examination
) -> list[dict[str, str]]:
    """Return what is doubtful about the endpoint, each with the address of this step without the doubt, if any."""
    doubts = []
    for finding in examination.findings:
        if finding.severity != doctor.WARNING:
            continue
        better = {"type": finding.type or type_, "name": shown["name"], "endpoint": finding.fix or shown["endpoint"]}
        way = f"Use {finding.fix}" if finding.fix else f"Choose {finding.type}" if finding.type else ""
        doubts.append({"message": finding.message, "way": way, "address": _address(request, better)})
    return doubts


def _address(request: Request, answers: dict[str, str]) -> str:
    return f"{reverse('ai_llm_new', args=[request.workspace.slug])}?{urlencode(answers)}"


def _steps(request: Request, current: int, answers: dict[str, str]) -> list[dict[str, str]]:
    """Return the stepper's entries; steps already answered are links back that keep what was answered."""
    back = [_address(request, {}), _address(request, {**answers, "step": "configuration"})]
    return [
        {
            "label": title,
            "url": back[index] if index < min(current, len(back)) else "",
            "state": "done" if index < current else "current" if index == current else "coming",
        }
        for index, title in enumerate(TITLES)
    ]


def operating_steps() -> list[dict[str, str]]:
    """Return the stepper as it stands on the page of a configuration that was just created."""
    last = len(TITLES) - 1
    return [{"label": title, "url": "", "state": "current" if n == last else "done"} for n, title in enumerate(TITLES)]
