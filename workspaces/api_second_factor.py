"""The second factor over the API: what there is, its setup, and the second half of a sign-in."""

from allauth.mfa.adapter import get_adapter
from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from flashback.errors import Conflict, Invalid, TooMany
from flashback.schemas import Answer, Ignored, Input, Output, Success, is_none, naming
from workspaces import bearer, logins, second_factor, sign_ins
from workspaces.api_schemas import EXAMPLE_JWT, EXAMPLE_REFRESH

router = Router(tags=["Account"])
METHOD = "GOOGLE_AUTH"  # the public client's name for an authenticator app (TOTP)
WAIT_SECONDS = 900
FIELDS = {"setup_token": "setupToken"}
KEEP = "Keep these codes where your app is not: they are not shown again."


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
    recovery_codes_left: int = Field(description="How many recovery codes still work.", examples=[10])


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


class Setup(Success):
    """A key for an authenticator app. Nothing is on before its first code is sent."""

    secret: str = Field(description="The key, to type into the app (base32).", examples=["JBSWY3DPEHPK3PXP"])
    otpauth_url: str = Field(
        description="The same for a QR code.",
        examples=["otpauth://totp/Flashback:ada@example.com?secret=JBSWY3DPEHPK3PXP"],
    )
    setup_token: str = Field(description="What POST /mfa/enable takes, for ten minutes.", examples=["WyI2Zj…"])


class SetupCode(Input):
    """The first code that the app shows."""

    setup_token: str = Field(description="The one of POST /mfa/setup.", max_length=1024, examples=["WyI2Zj…"])
    code: str = Field(description="Six digits that the app shows now.", max_length=40, examples=["123456"])
    mfa_type: Ignored


class RecoveryCodes(Success):
    """New recovery codes, shown this once. Each stands in for the app once."""

    recovery_codes: list[str] = Field(description="The codes.", examples=[["1234567890", "2345678901"]])


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
        recovery_codes_left=second_factor.number_of_codes_left(caller.person) if enabled else 0,
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


@router.post("/mfa/setup", response=Setup)
def begin_second_factor(request: HttpRequest) -> Setup:
    """Begin to set up a second factor, or another app in the place of the present one.

    Stores nothing. Possible within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    caller.require_recent("set up the second factor")
    secret, token = second_factor.offer(caller.person)
    return Setup(
        message="Enter the key in your app, then send the code that it shows to POST /mfa/enable.",
        secret=secret,
        otpauth_url=get_adapter().build_totp_url(caller.person, secret),
        setup_token=token,
    )


@router.post("/mfa/enable", response=RecoveryCodes)
def confirm_second_factor(request: HttpRequest, body: SetupCode) -> RecoveryCodes:
    """Turn the second factor on with the first code of the app, and get recovery codes, this once.

    Codes from before end. Possible within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    caller.require_recent("set up the second factor")
    with naming(**FIELDS):
        codes = second_factor.accept(caller.person, body.setup_token, body.code)
    return RecoveryCodes(message=KEEP, recovery_codes=codes)


@router.post("/mfa/recovery-codes", response=RecoveryCodes)
def renew_recovery_codes(request: HttpRequest) -> RecoveryCodes:
    """Make new recovery codes, shown this once; those before them end.

    409 without a second factor. Possible within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    caller.require_recent("make recovery codes")
    return RecoveryCodes(message=KEEP, recovery_codes=second_factor.renew_codes(caller.person))


@router.delete("/mfa", response=Success)
def remove_second_factor(request: HttpRequest) -> Success:
    """Turn my second factor off.

    403 where the organization requires one, 409 when it is off. Possible within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    caller.require_recent("turn the second factor off")
    second_factor.disable(caller.person)
    return Success(message="Your second factor is off.")
