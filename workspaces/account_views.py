"""The pages of one's own account: who one is, another e-mail address, where one is signed in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from flashback import mail
from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import problem_page, see_other
from workspaces import email_change, own_sessions, people, second_factor
from workspaces.access import OrganizationRole
from workspaces.account_forms import AccountForm, EmailForm
from workspaces.address import Request
from workspaces.models import User
from workspaces.reauthentication import recently_authenticated


@require_http_methods(["GET", "HEAD", "POST"])
def account(request: Request) -> HttpResponse:
    """Show a person who they are here, and keep how they like things."""
    person = User.objects.select_related("organization").get(pk=request.user.pk)
    if request.method != "POST":
        return _account_page(request, person, AccountForm.of(person))
    form = AccountForm(request.POST)
    if form.is_valid():
        try:
            _keep(person, form.cleaned_data)
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            messages.success(request, "Saved.")
            return see_other("account")
    return _account_page(request, person, form)


@require_POST
def theme(request: Request) -> HttpResponse:
    """Keep what the switch at the top was set to. Scripts ask for it, so there is no page to answer with."""
    try:
        people.choose_theme(request.user, request.POST.get("theme", "unknown"))
    except Invalid as invalid:
        return problem_page(request, 422, invalid.message)
    return HttpResponse(status=204)


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def email(request: Request) -> HttpResponse:
    """Ask for another e-mail address, and send it a link."""
    form = EmailForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            sent = email_change.request(request.user, **form.cleaned_data)
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            way = (
                f"A link is on its way to {sent}."
                if mail.delivers()
                else f"No mail server is configured: the mail to {sent} is printed in the server's terminal."
            )
            messages.success(request, f"{way} Follow its link within an hour.")
            return see_other("account")
    values = {"form": form, "mail_delivered": mail.delivers()}
    return render(request, "account/email_change.html", values, status=422 if form.errors else 200)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """Say what the link of a mail will do, and do it on a press: programs that look at mails follow links too."""
    values: dict[str, Any] = {"token": token}
    status = 200
    try:
        if request.method == "POST":
            values["done"] = email_change.confirm(token)
        else:
            values["person"], values["email"] = email_change.proposed(token)
    except Conflict as conflict:
        values["over"], status = conflict.message, 410
    return render(request, "account/email_confirm.html", values, status=status)


@require_safe
def sessions(request: Request) -> HttpResponse:
    """Where one is signed in."""
    rows = own_sessions.of(request.user, request.session.session_key)
    return render(request, "account/sessions.html", {"rows": rows})


@require_POST
def end_session(request: Request, mark: str) -> HttpResponse:
    """Sign out at one place; the present one leaves by the page for that."""
    here = own_sessions.of(request.user, request.session.session_key)[:1]
    if here and here[0].here and here[0].mark == mark:
        return see_other("account_logout")
    try:
        own_sessions.end(request.user, mark)
    except NotFound:
        messages.info(request, "That session was over already.")
    else:
        messages.success(request, "Signed out there.")
    return see_other("account_sessions")


@require_POST
def end_other_sessions(request: Request) -> HttpResponse:
    """Sign out everywhere else."""
    number = own_sessions.end_others(request.user, request.session.session_key)
    done = f"Signed out at {number} other place{'' if number == 1 else 's'}."
    messages.success(request, done if number else "You are signed in nowhere else.")
    return see_other("account_sessions")


def _keep(person: User, values: dict[str, Any]) -> None:
    people.update(person, person, name=values.pop("name"), last_name=values.pop("last_name"))
    people.choose(person, **values)


def _account_page(request: Request, person: User, form: AccountForm) -> HttpResponse:
    values = {
        "person": person,
        "role": OrganizationRole(person.organization_role).label,
        "form": form,
        "second_factor": second_factor.enabled(person),
        "sessions": len(own_sessions.of(person, request.session.session_key)),
    }
    return render(request, "account/account.html", values, status=422 if form.errors else 200)
