"""The second factor over the API: what there is, and the second half of a sign-in."""

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from flashback.errors import Conflict, Invalid, TooMany
from flashback.schemas import Answer, Ignored, Input, Output, is_none
from workspaces import bearer, logins, second_factor, sign_ins
from workspaces.api_schemas import EXAMPLE_JWT, EXAMPLE_REFRESH

router = Router(tags=["Account"])
METHOD = "GOOGLE_AUTH"  # the public client's name for an authenticator app (TOTP)
WAIT_SECONDS = 900


class SecondFactor(Output):
    """What there is of a second factor."""

    is_enabled: bool = Field(description="Whether signing in takes a code as well.", examples=[True])
    is_required: bool = Field(description="Whether the organization requires one of me.", examples=[False])
    is_enforced: bool = Field(description="The same: who must have one gets no full token without.", examples=[False])
    enabled_methods: list[str] = Field(description="GOOGLE_AUTH (an authenticator app), or none.", examples=[[METHOD]])
    primary_method: str | None = Field(
        exclude_if=is_none, description="The method that is asked for; absent for none.", examples=[METHOD]
    )
    session_verified: bool = Field(description="Whether this sign-in is a whole one.", examples=[True])


class SecondFactorAnswer(Answer):
    """What there is of a second factor."""

    data: SecondFactor = Field(description="My second factor.")


class Code(Input):
    """A code of the authenticator app, or a recovery code, under either of two names."""

    code: str | None = Field(default=None, max_length=40, description="The code.", examples=["123456"])
    token: str | None = Field(default=None, max_length=40, description="The same, as `token`.", examples=[None])
    method: Ignored
    mfa_type: Ignored
    credential: Ignored
    session_id: Ignored
    ip_address: Ignored
    user_agent: Ignored


class Verified(Answer):
    """The tokens of a whole sign-in."""

    message: str = Field(description="One sentence for people.", examples=["Signed in."])
    full_access_token: str = Field(description="Bearer token (JWT), good for an hour.", examples=[EXAMPLE_JWT])
    access_token: str = Field(description="The same once more.", examples=[EXAMPLE_JWT])
    refresh_token: str = Field(description="Good once, for POST /user/refresh.", examples=[EXAMPLE_REFRESH])
    expires_at: int = Field(description="When the access token ends, in seconds since 1970.", examples=[1773653400])


@router.get("/mfa/status", response=SecondFactorAnswer, auth=bearer.second_factor)
def show_second_factor(request: HttpRequest) -> SecondFactorAnswer:
    """Show whether I have a second factor, and whether this sign-in has passed it."""
    caller = bearer.caller(request)
    enabled, required = second_factor.enabled(caller.person), second_factor.required(caller.person)
    data = SecondFactor(
        is_enabled=enabled,
        is_required=required,
        is_enforced=required,
        enabled_methods=[METHOD] if enabled else [],
        primary_method=METHOD if enabled else None,
        session_verified=caller.login is not None and caller.login.verified,
    )
    return SecondFactorAnswer(data=data)


@router.post("/mfa/verify-login", response=Verified, auth=bearer.second_factor)
def verify_second_factor(request: HttpRequest, body: Code) -> Verified:
    """Finish a sign-in with a code of the authenticator app, or with a recovery code.

    Send the access token that POST /user/login answered as the bearer token; it is good for ten minutes. Each code is
    good once, and five that are not right close this for a quarter of an hour.
    """
    caller = bearer.caller(request)
    if caller.login is None or caller.login.verified:
        raise Conflict("This sign-in is complete already.")
    if second_factor.is_closed(caller.person):
        raise TooMany(second_factor.TOO_MANY, retry_after=WAIT_SECONDS)
    code = body.code or body.token or ""
    if not code or not second_factor.check(caller.person, code):
        raise Invalid({"code": second_factor.WRONG})
    pair = logins.complete(caller.login)
    sign_ins.succeeded(caller.person)
    return Verified(
        message="Signed in.",
        full_access_token=pair.access,
        access_token=pair.access,
        refresh_token=pair.refresh,
        expires_at=pair.expires_at,
    )
