"""Bodies and answers about people: signing in, one's own profile, login tokens."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from flashback.schemas import EXAMPLE_ID, EXAMPLE_MOMENT, Answer, Ignored, Input, Output, is_none
from workspaces.access import OrganizationRole

EXAMPLE_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiI2ZjFjMmY2ZSJ9.4Zq1"
EXAMPLE_REFRESH = "fbr_4Zq1mX9c_…"
LONGEST_PASSWORD = 1024
LONGEST_TOKEN = 4096  # an access token sent by mistake is one that is not known, and no mistake of form
ROLE = "Role in the organization: 0 USER, 1 BILLING, 2 WORKSPACES, 254 ADMINISTRATOR, 255 OWNER."


def roles_up_to(role: int) -> list[int]:
    """Return the organization roles that `role` includes, as the public API lists them."""
    return [one.value for one in OrganizationRole if one <= role]


class SignIn(Input):
    """What somebody signs in with."""

    email: str = Field(description="E-mail address of the account.", max_length=254, examples=["ada@example.com"])
    password: str = Field(
        description="Password of the account.", max_length=LONGEST_PASSWORD, examples=["correct horse battery"]
    )
    device_info: Ignored


class SignedInPerson(Output):
    """Who signed in."""

    id: UUID = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    email: str = Field(description="E-mail address.", examples=["ada@example.com"])
    name: str = Field(description="First name, or the whole name; may be empty.", examples=["Ada"])
    org_id: UUID | None = Field(description="Id of the organization; null for none.", examples=[EXAMPLE_ID])
    org_role: int | None = Field(description=ROLE, examples=[255])


class SignedIn(Answer):
    """The tokens of a new sign-in.

    With a second factor there is no refresh token yet, and the access token is good for POST /mfa/verify-login only.
    """

    access_token: str = Field(description="Bearer token (JWT), good for an hour.", examples=[EXAMPLE_JWT])
    refresh_token: str | None = Field(
        default=None,
        exclude_if=is_none,
        description="Good once, for POST /user/refresh, within 7 days, 30 in all; absent before the second factor.",
        examples=[EXAMPLE_REFRESH],
    )
    token_id: UUID = Field(description="Id of this sign-in, for DELETE /token/{tokenId}.", examples=[EXAMPLE_ID])
    expires_at: int = Field(description="When the access token ends, in seconds since 1970.", examples=[1773653400])
    mfa_required: bool = Field(default=False, description="Whether a second factor is still missing.", examples=[False])
    message: str = Field(description="One sentence for people.", examples=["Signed in."])
    user: SignedInPerson = Field(description="Who signed in.")


class Refresh(Input):
    """A refresh token, under either of its two names."""

    refresh_token: str | None = Field(
        default=None,
        alias="refresh_token",
        max_length=LONGEST_TOKEN,
        description="The refresh token.",
        examples=[EXAMPLE_REFRESH],
    )
    refresh_token_too: str | None = Field(
        default=None,
        alias="refreshToken",
        max_length=LONGEST_TOKEN,
        description="The same, under the name of the documentation.",
        examples=[None],
    )

    @property
    def token(self) -> str:
        """The token, "" when neither name was given."""
        return self.refresh_token or self.refresh_token_too or ""


class Refreshed(Answer):
    """New tokens; the refresh token that was sent is spent."""

    token: str = Field(description="The access token once more.", examples=[EXAMPLE_JWT])
    access_token: str = Field(description="Bearer token (JWT), good for an hour.", examples=[EXAMPLE_JWT])
    refresh_token: str = Field(description="The next refresh token, good once.", examples=[EXAMPLE_REFRESH])
    expires_at: int = Field(description="When the access token ends, in seconds since 1970.", examples=[1773653400])


class Profile(Output):
    """Who I am."""

    id: UUID = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    name: str = Field(description="First name, or the whole name; may be empty.", examples=["Ada"])
    last_name: str = Field(description="Last name; may be empty.", examples=["Lovelace"])
    email: str = Field(description="E-mail address.", examples=["ada@example.com"])
    org_id: UUID | None = Field(description="Id of the organization; null for none.", examples=[EXAMPLE_ID])
    org_role: int | None = Field(description=ROLE, examples=[255])
    org_role_description: str = Field(description="Name of the role.", examples=["OWNER"])
    org_roles: list[int] = Field(description="The role and those that it includes.", examples=[[0, 1, 2, 254, 255]])
    validated: bool = Field(description="Whether the account may be used.", examples=[True])
    mfa_required: bool = Field(description="Whether the organization asks for a second factor.", examples=[False])
    is_business: bool = Field(description="Whether the organization says that it is a business.", examples=[False])


class ProfileAnswer(Answer):
    """Who I am."""

    data: Profile = Field(description="Who I am.")


class SignInRow(Output):
    """One sign-in over the API that is not over."""

    id: UUID = Field(description="Id of the sign-in.", examples=[EXAMPLE_ID])
    created_at: datetime = Field(description="When it began.", examples=[EXAMPLE_MOMENT])
    last_used_at: datetime = Field(description="Last use, to within 5 minutes.", examples=[EXAMPLE_MOMENT])
    expires_at: datetime = Field(description="When it ends at the latest.", examples=[EXAMPLE_MOMENT])
    ip: str = Field(description="Address that it came from; empty for unknown.", examples=["192.0.2.10"])
    device: str = Field(description="Program that signed in; empty for unknown.", examples=["curl/8.5.0"])
    current: bool = Field(description="Whether this request belongs to it.", examples=[True])


class SignIns(Answer):
    """One's own sign-ins over the API, the newest first."""

    tokens: list[SignInRow] = Field(description="The sign-ins.")
