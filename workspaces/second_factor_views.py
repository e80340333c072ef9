"""The pages of one's second factor: on, off, another app, recovery codes; and who needs one in the organization."""

import secrets
import time

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import views as allauth
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from qrcode.main import QRCode

from flashback.errors import Conflict, Denied, Invalid
from flashback.web import see_other
from workspaces import access, second_factor
from workspaces.access import OrganizationRole
from workspaces.address import Request
from workspaces.models import Organization
from workspaces.reauthentication import recently_authenticated, recently_authenticated_for
from workspaces.second_factor_forms import NothingForm, PolicyForm, SetUpForm
from workspaces.sessions import SECOND_FACTOR_DUE

NONCE, CODES_MADE_AT = "second_factor_nonce", "recovery_codes_made_at"
DOWNLOAD_SECONDS = 600
# A code says which mask it has, and readers take any; comparing all eight makes the page three times as slow.
ANY_MASK = 3


@require_safe
def index(request: Request) -> HttpResponse:
    """Say whether one has a second factor, and lead to what can be done about it."""
    rows = {row.type: row for row in Authenticator.objects.filter(user=request.user)}
    values = {
        "app": rows.get(second_factor.TOTP),
        "left": second_factor.number_of_codes_left(request.user) if rows else 0,
        "required": second_factor.required(request.user),
    }
    return render(request, "mfa/index.html", values)


@sensitive_variables("secret", "codes")
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def activate(request: Request) -> HttpResponse:
    """Show the key for an app, and turn the second factor on with the first code that the app shows."""
    nonce = request.session.setdefault(NONCE, secrets.token_hex(16))
    secret = second_factor.proposal(request.user, nonce)
    form = SetUpForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            codes = second_factor.enable(request.user, secret, **form.cleaned_data)
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            del request.session[NONCE]
            return _codes_page(request, codes)
    values = {
        "form": form,
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "address": get_adapter().build_totp_url(request.user, secret),
        "due": request.session.get(SECOND_FACTOR_DUE, False),
        "replacing": second_factor.enabled(request.user),
    }
    values["size"], values["path"] = drawn(values["address"])
    return render(request, "mfa/activate.html", values, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def deactivate(request: Request) -> HttpResponse:
    """Ask, then turn the second factor off."""
    form = NothingForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        try:
            second_factor.disable(request.user)
        except (Denied, Conflict) as refusal:
            form.add_error(None, refusal.message)
        else:
            request.session.cycle_key()
            messages.success(request, "Your second factor is off.")
            return see_other("mfa_index")
    values = {"form": form, "required": second_factor.required(request.user)}
    return render(request, "mfa/deactivate.html", values, status=422 if form.is_bound else 200)


@sensitive_variables("codes")
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def renew_codes(request: Request) -> HttpResponse:
    """Ask, then make new recovery codes and show them in this very answer."""
    if request.method != "POST":
        return render(request, "mfa/codes_renew.html", {"on": second_factor.enabled(request.user)})
    return _codes_page(request, second_factor.renew_codes(request.user))


@sensitive_variables("codes")
@require_POST
def download_codes(request: Request) -> HttpResponse:
    """Hand out the recovery codes as a text file, in the ten minutes and the session in which they were made."""
    if time.time() - request.session.get(CODES_MADE_AT, 0) > DOWNLOAD_SECONDS:
        messages.info(request, "Recovery codes can be saved right after they are made. Make new ones to have a file.")
        return see_other("mfa_index")
    codes = second_factor.codes_left(request.user)
    lines = [f"Recovery codes of {request.user.email} for Flashback. Each works once.", "", *map(spaced, codes), ""]
    answer = HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="flashback-recovery-codes.txt"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
def policy(request: Request) -> HttpResponse:
    """Show and change who needs a second factor in the organization."""
    access.require_organization(request.user, OrganizationRole.ADMINISTRATOR)
    return _policy(request)


@recently_authenticated_for(lambda request: request.method == "POST")
def _policy(request: Request) -> HttpResponse:
    organization = Organization.objects.get(people=request.user)
    form = PolicyForm(request.POST if request.method == "POST" else None, organization=organization)
    if form.is_bound and form.is_valid():
        second_factor.set_policy(request.user, **form.cleaned_data)
        messages.success(request, "Saved. It counts from everybody's next sign-in on.")
        return see_other("organization_security")
    people = organization.people.filter(is_active=True)
    values = {
        "form": form,
        "organization": organization,
        "people": people.count(),
        "with_one": people.filter(authenticator__type=second_factor.TOTP).count(),
    }
    return render(request, "workspaces/security.html", values, status=422 if form.is_bound else 200)


@login_not_required
@sensitive_post_parameters("code")
def authenticate(request: HttpRequest) -> HttpResponse:
    """Take the code of the second step of a sign-in. allauth takes a POST without the field for another kind of key."""
    if request.method == "POST" and "code" not in request.POST:
        return see_other("mfa_authenticate")
    answer: HttpResponse = allauth.authenticate(request)
    return answer


def spaced(code: str) -> str:
    """Return a recovery code as it is shown: in two groups of digits."""
    return f"{code[:5]} {code[5:]}"


def drawn(text: str) -> tuple[int, str]:
    """Return a QR code as the side of its square and an SVG path of its dark dots; with no style, as our CSP asks."""
    code = QRCode(border=2, mask_pattern=ANY_MASK)
    code.add_data(text)
    matrix = code.get_matrix()
    dots = [f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark]
    return len(matrix), "".join(dots)


def _codes_page(request: Request, codes: list[str]) -> HttpResponse:
    was_due = request.session.pop(SECOND_FACTOR_DUE, False)
    request.session[CODES_MADE_AT] = int(time.time())
    request.session.cycle_key()
    values = {"codes": [spaced(code) for code in codes], "onward": "home" if was_due else "mfa_index"}
    return render(request, "mfa/codes.html", values)
