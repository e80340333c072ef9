"""Bodies and answers about organizations and their people."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from flashback.schemas import EXAMPLE_ID, Answer, Ignored, Input, Output
from workspaces.api_schemas import LONGEST_PASSWORD, ROLE

Policy = Literal["off", "administrators", "everyone"]
POLICY = "Who needs a second factor: off (nobody), administrators (staff, administrators and owners) or everyone."
LONGEST_NAME = 400  # the verb says 120 in words; this keeps nonsense away


class OrganizationRow(Output):
    """An organization's profile."""

    id: UUID = Field(description="Id of the organization.", examples=[EXAMPLE_ID])
    name: str = Field(description="Name, unique on this installation.", examples=["Acme"])
    domain: str = Field(description="Internet domain; may be empty.", examples=["acme.example"])
    address1: str = Field(description="First line of the address; may be empty.", examples=["1 Main Street"])
    address2: str = Field(description="Second line of the address; may be empty.", examples=[""])
    city: str = Field(description="City; may be empty.", examples=["Lyon"])
    zipcode: str = Field(description="Postal code; may be empty.", examples=["69001"])
    state: str = Field(description="State or region; may be empty.", examples=[""])
    country: str = Field(description="Country; may be empty.", examples=["France"])
    phone: str = Field(description="Telephone number; may be empty.", examples=["+33 4 00 00 00 00"])
    website: str = Field(description="Web site; may be empty.", examples=["https://acme.example"])
    deleted_at: datetime | None = Field(default=None, description="Always null: none is deleted.", examples=[None])
    repos_disabled: bool = Field(description="Always false: repositories are disabled one by one.", examples=[False])
    is_business: bool = Field(alias="is_business", description="Whether it is a business.", examples=[True])
    mfa_enforced: bool = Field(description="Whether people need a second factor.", examples=[False])
    second_factor: str = Field(description=POLICY, examples=["administrators"])


class OrganizationAnswer(Answer):
    """An organization."""

    data: OrganizationRow = Field(description="The organization.")
    message: str = Field(description="One sentence for people.", examples=["Saved."])


class OrganizationChange(Input):
    """What changes in an organization's profile; what is absent stays."""

    name: str | None = Field(default=None, max_length=LONGEST_NAME, description="Name.", examples=["Acme"])
    domain: str | None = Field(default=None, max_length=300, description="Internet domain.", examples=["acme.example"])
    address1: str | None = Field(default=None, max_length=300, description="Address.", examples=["1 Main Street"])
    address2: str | None = Field(default=None, max_length=300, description="Second line.", examples=["Floor 2"])
    city: str | None = Field(default=None, max_length=300, description="City.", examples=["Lyon"])
    zipcode: str | None = Field(default=None, max_length=300, description="Postal code.", examples=["69001"])
    state: str | None = Field(default=None, max_length=300, description="State or region.", examples=["Rhône"])
    country: str | None = Field(default=None, max_length=300, description="Country.", examples=["France"])
    phone: str | None = Field(default=None, max_length=300, description="Telephone.", examples=["+33 4 00 00 00 00"])
    website: str | None = Field(
        default=None, max_length=300, description="Web site, https or http.", examples=["https://acme.example"]
    )
    is_business: bool | None = Field(
        default=None, alias="is_business", description="Whether it is a business.", examples=[True]
    )
    mfa_enforced: bool | None = Field(
        default=None,
        description="Whether everybody needs a second factor from the next sign-in on. To be changed within 10 minutes "
        "of signing in.",
        examples=[False],
    )
    second_factor: Policy | None = Field(
        default=None,
        description=f"{POLICY} Counts before mfaEnforced; to be changed within 10 minutes of signing in.",
        examples=["administrators"],
    )


class OrgUser(Output):
    """Somebody of the organization."""

    id: UUID = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    email: str = Field(description="E-mail address.", examples=["ada@example.com"])
    name: str = Field(description="First name, or the whole name; may be empty.", examples=["Ada"])
    last_name: str = Field(description="Last name; may be empty.", examples=["Lovelace"])
    org_id: UUID | None = Field(description="Id of the organization.", examples=[EXAMPLE_ID])
    org_role: int | None = Field(description=ROLE, examples=[0])
    validated: bool = Field(description="Whether they have a password and may sign in.", examples=[True])
    deleted_at: datetime | None = Field(
        description="When the account was deactivated; null while it is active.", examples=[None]
    )
    org_role_description: str = Field(description="Name of the role.", examples=["USER"])
    org_roles: list[int] = Field(description="The role and those that it includes.", examples=[[0]])


class OrgUsers(Answer):
    """The people of the organization."""

    data: list[OrgUser] = Field(description="The people, by name; deactivated ones too.")
    total: int = Field(description="How many there are.", examples=[1])


class OrgUserAnswer(Answer):
    """Somebody of the organization."""

    data: OrgUser = Field(description="The person.")
    message: str = Field(description="One sentence for people.", examples=["Saved."])


class NewOrgUser(Input):
    """An account to create."""

    email: str = Field(max_length=300, description="E-mail address.", examples=["bob@example.com"])
    password: str | None = Field(
        default=None,
        max_length=LONGEST_PASSWORD,
        description="First password, 12 characters or more. Not used with sendInvite: then the person chooses it.",
        examples=["correct horse battery"],
    )
    first_name: str = Field(default="", max_length=LONGEST_NAME, description="First name.", examples=["Bob"])
    last_name: str = Field(default="", max_length=LONGEST_NAME, description="Last name.", examples=["Builder"])
    org_role: int = Field(default=0, description=ROLE, examples=[0])
    send_invite: bool | None = Field(
        default=None, description="Whether to mail a link by which the person chooses a password.", examples=[True]
    )
    provider: Ignored
    auth_method: Literal["LOCAL", "GOOGLE", "GITHUB", "MICROSOFT"] | None = Field(
        default=None, description="How the person signs in. Only LOCAL is possible here.", examples=["LOCAL"]
    )


class OrgUserChange(Input):
    """What changes about somebody; what is absent stays."""

    name: str | None = Field(default=None, max_length=LONGEST_NAME, description="First name.", examples=["Bob"])
    last_name: str | None = Field(default=None, max_length=LONGEST_NAME, description="Last name.", examples=["Builder"])
    org_role: int | None = Field(default=None, description=ROLE, examples=[2])


class UserChange(Input):
    """What changes about an account; what is absent stays."""

    name: str | None = Field(default=None, max_length=LONGEST_NAME, description="First name.", examples=["Ada"])
    last_name: str | None = Field(default=None, max_length=LONGEST_NAME, description="Last name.", examples=["Byron"])
    password: str | None = Field(
        default=None,
        max_length=LONGEST_PASSWORD,
        description="New password, only one's own, within 10 minutes of signing in. All other sign-ins end.",
        examples=["correct horse battery"],
    )


class RoleChange(Input):
    """Another role in the organization."""

    org_role: int = Field(description=ROLE, examples=[2])


class UserRole(Output):
    """Somebody's role in the organization."""

    user_id: UUID = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    org_role: int | None = Field(description=ROLE, examples=[2])
    org_role_description: str = Field(description="Name of the role.", examples=["WORKSPACES"])
    org_roles: list[int] = Field(description="The role and those that it includes.", examples=[[0, 1, 2]])


class UserRoleAnswer(Answer):
    """Somebody's role in the organization."""

    data: UserRole = Field(description="The role.")


class ChangedRole(Output):
    """A role that was changed."""

    user_id: UUID = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    previous_role: int = Field(description=f"Before. {ROLE}", examples=[0])
    new_role: int = Field(description=f"Now. {ROLE}", examples=[2])
    message: str = Field(description="One sentence for people.", examples=["Ada has the role WORKSPACES now."])


class ChangedRoleAnswer(Answer):
    """A role that was changed."""

    data: ChangedRole = Field(description="Before and now.")
