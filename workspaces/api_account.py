"""Signing in and out over the API, and one's own account."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from flashback.errors import Denied, Invalid
from flashback.schemas import Success
from workspaces import bearer, logins, second_factor, sign_ins
from workspaces.access import OrganizationRole
from workspaces.api_schemas import (
    Profile,
    ProfileAnswer,
    Refresh,
    Refreshed,
    SignedIn,
    SignedInPerson,
    SignIn,
    SignInRow,
    SignIns,
    roles_up_to,
)
from workspaces.models import User

router = Router(tags=["Account"])


class SecondFactorDue(Denied):
    """The password is right, and the organization asks for a second factor that is not set up (403)."""

    error_code = "MFA_SETUP_REQUIRED"


@router.post("/user/login", response=SignedIn, auth=None)
def sign_in(request: HttpRequest, body: SignIn) -> SignedIn:
    """Sign in with e-mail address and password.

    Send the access token of the answer as `Authorization: Bearer …`. A bearer token that comes with this request has no
    say. Failed attempts count together with those in the console: after 5 in 15 minutes the answer is 429. With a
    second factor, `mfaRequired` is true and the token is good for POST /mfa/verify-login only.
    """
    person = sign_ins.by_password(request, body.email, body.password)
    if second_factor.enabled(person):
        return _signed_in(logins.start(person, verified=False))
    if second_factor.due(person):
        raise SecondFactorDue("Your organization asks for a second factor. Sign in to the console to set it up.")
    sign_ins.succeeded(person)
    return _signed_in(logins.start(person))


@router.post("/user/refresh", response=Refreshed, auth=None)
def refresh_sign_in(request: HttpRequest, body: Refresh) -> Refreshed:
    """Exchange a refresh token for new tokens.

    Each refresh token is good once. Showing one a second time ends the whole sign-in, because it may be stolen.
    """
    pair = logins.refresh(_token(body))
    return Refreshed(
        token=pair.access, access_token=pair.access, refresh_token=pair.refresh, expires_at=pair.expires_at
    )


@router.post("/user/logout", response=Success, auth=None)
def sign_out(request: HttpRequest, body: Refresh) -> Success:
    """Sign out: end the sign-in of a refresh token, with its access tokens.

    A token that is unknown or over changes nothing, and the answer is the same.
    """
    logins.end(_token(body))
    return Success(message="Signed out.")


@router.get("/user/profile", response=ProfileAnswer, auth=bearer.read)
def show_profile(request: HttpRequest) -> ProfileAnswer:
    """Show who I am."""
    person = bearer.caller(request).person
    role = OrganizationRole(person.organization_role)
    belongs = person.organization_id is not None
    data = Profile(
        id=person.pk,
        name=person.name,
        last_name=person.last_name,
        email=person.email,
        org_id=person.organization_id,
        org_role=role.value if belongs else None,
        org_role_description=role.name if belongs else "",
        org_roles=roles_up_to(role) if belongs else [],
        validated=person.is_active,
        mfa_required=second_factor.required(person),
        is_business=person.organization is not None and person.organization.is_business,
    )
    return ProfileAnswer(data=data)


@router.get("/token", response=SignIns)
def list_sign_ins(request: HttpRequest) -> SignIns:
    """List my sign-ins over the API, the newest first."""
    caller = bearer.caller(request)
    rows = [
        SignInRow(
            id=login.pk,
            created_at=login.created_at,
            last_used_at=login.last_used_at,
            expires_at=login.expires_at,
            ip=login.ip,
            device=login.agent,
            current=caller.login is not None and login.pk == caller.login.pk,
        )
        for login in logins.live_of(caller.person)
    ]
    return SignIns(tokens=rows)


@router.delete("/token/{uuid:token_id}", response=Success)
def end_sign_in(request: HttpRequest, token_id: UUID) -> Success:
    """End one of my sign-ins over the API, with its tokens."""
    logins.revoke(bearer.caller(request).person, token_id)
    return Success(message="The sign-in is over.")


def _signed_in(pair: logins.Pair) -> SignedIn:
    person: User = pair.login.user
    role = person.organization_role if person.organization_id else None
    waits = not pair.login.verified
    return SignedIn(
        access_token=pair.access,
        refresh_token=pair.refresh or None,
        token_id=pair.login.pk,
        expires_at=pair.expires_at,
        mfa_required=waits,
        message=bearer.WAITS if waits else "Signed in.",
        user=SignedInPerson(
            id=person.pk, email=person.email, name=person.name, org_id=person.organization_id, org_role=role
        ),
    )


def _token(body: Refresh) -> str:
    if not body.token:
        raise Invalid({"refresh_token": "Send the refresh token."})
    return body.token
