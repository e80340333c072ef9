"""Plain builders with keyword defaults. They call the verb where one exists, so that rows are as real ones."""

from itertools import count
from typing import Any
from uuid import uuid4

from ai_llm import configs, provider_keys
from ai_llm.models import AiLlm, Credential, ModelList
from ai_llm.sandbox import SECRETS
from flashback import names
from repositories import attachments, keys, repos
from repositories.models import Repository
from workspaces.access import OrganizationRole
from workspaces.events import record
from workspaces.models import Event, Membership, Organization, User, Workspace

numbers = count(1)
PASSWORD = "a long enough passphrase"
SECRET = SECRETS.openai


def organization(name: str = "") -> Organization:
    name = name or f"Organization {next(numbers)}"
    return Organization.objects.create(name=name, name_key=names.key(name))


def workspace(organization: Organization, name: str = "") -> Workspace:
    number = next(numbers)
    name = name or f"Workspace {number}"
    return Workspace.objects.create(
        organization=organization, name=name, name_key=names.key(name), slug=f"workspace-{number}"
    )


def person(
    organization: Organization | None,
    name: str = "",
    *,
    role: OrganizationRole = OrganizationRole.USER,
    member_of: Workspace | None = None,
    access: str = "READ",
    **values: Any,
) -> User:
    number = next(numbers)
    name = name or f"Person {number}"
    email = f"{name.lower().replace(' ', '.')}.{number}@example.com"
    user = User.objects.create_user(
        email, PASSWORD, name=name, organization=organization, organization_role=role, **values
    )
    if member_of is not None:
        Membership.objects.create(workspace=member_of, user=user, role=access)
    return user


def ai_llm(actor: User, workspace: Workspace, **values: Any) -> AiLlm:
    given = {
        "id": uuid4(),
        "type": "OPENAI",
        "name": f"openai-{next(numbers)}",
        "endpoint": "https://api.openai.com/v1",
        "secret": SECRET,
        **values,
    }
    return configs.create(actor, workspace, **given)


def provider_key(actor: User, workspace: Workspace, **values: Any) -> Credential:
    given = {"name": f"provider-key-{next(numbers)}", "provider": "OPENAI", "secret": SECRET, **values}
    return provider_keys.create(actor, workspace, **given)


def models(ai_llm: AiLlm, *names: str) -> ModelList:
    """The last good list of models, as an accepted check leaves it."""
    return ModelList.objects.create(ai_llm=ai_llm, endpoint=ai_llm.endpoint, names=list(names))


def repository(actor: User, workspace: Workspace, *attached: AiLlm, **values: Any) -> Repository:
    made = repos.create(actor, workspace, **{"name": f"repository-{next(numbers)}", **values})
    attachments.attach(actor, made, [ai_llm.pk for ai_llm in attached])
    made.refresh_from_db()
    return made


def key(actor: User, repository: Repository, **values: Any) -> keys.Made:
    return keys.create(actor, repository, **{"name": f"key-{next(numbers)}", **values})


def events(actor: User | None, workspace: Workspace, number: int = 1, **values: Any) -> list[Event]:
    given = {"action": "workspace.renamed", "subject": workspace, **values}
    return [record(actor, workspace=workspace, **given) for _ in range(number)]
