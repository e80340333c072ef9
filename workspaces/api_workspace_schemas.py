"""Bodies and answers about workspaces and their members."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from flashback.schemas import EXAMPLE_ID, Answer, Id, Input, Output
from workspaces.api_schemas import ROLE

Role = Literal["READ", "WRITE", "ADMIN"]
ROLE_HERE = "Role in the workspace: READ, WRITE or ADMIN; each includes the ones before."


class Member(Output):
    """A person as others see them."""

    id: UUID = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    name: str = Field(description="First name, or the whole name; may be empty.", examples=["Ada"])
    last_name: str = Field(description="Last name; may be empty.", examples=["Lovelace"])
    email: str = Field(description="E-mail address.", examples=["ada@example.com"])
    org_role: int | None = Field(description=ROLE, examples=[0])


class WorkspaceUser(Output):
    """A member with their role."""

    user_id: UUID = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    role: Role = Field(description=ROLE_HERE, examples=["WRITE"])
    user: Member = Field(description="The person.")


class WorkspaceRow(Output):
    """A workspace."""

    id: UUID = Field(description="Id of the workspace.", examples=[EXAMPLE_ID])
    name: str = Field(description="Name, unique in the organization.", examples=["Production"])
    org_id: UUID = Field(description="Id of the organization.", examples=[EXAMPLE_ID])


class WorkspaceWithUsers(WorkspaceRow):
    """A workspace with its members."""

    users: list[WorkspaceUser] = Field(description="Its members; always empty for API tokens, which reach no people.")


class NewWorkspace(Input):
    """A workspace to create."""

    name: str = Field(max_length=400, description="Name, unique in the organization.", examples=["Production"])


class WorkspaceChange(Input):
    """What changes about a workspace; what is absent stays."""

    name: str | None = Field(default=None, max_length=400, description="New name.", examples=["Staging"])


class NewMember(Input):
    """Somebody of the organization to make a member."""

    user_id: Id = Field(description="Id of the person.", examples=[EXAMPLE_ID])
    role: Role = Field(description=ROLE_HERE, examples=["WRITE"])


class MemberChange(Input):
    """Another role for a member."""

    role: Role = Field(description=ROLE_HERE, examples=["READ"])


class WorkspaceMade(Answer):
    """A workspace."""

    workspace: WorkspaceRow = Field(description="The workspace.")


class WorkspaceAnswer(Answer):
    """A workspace with its members."""

    workspace: WorkspaceWithUsers = Field(description="The workspace.")


class Workspaces(Answer):
    """The workspaces that exist for the caller."""

    workspaces: list[WorkspaceWithUsers] = Field(description="The workspaces, by name.")
