"""The people of the sample organization, and its workspaces."""

from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils.crypto import salted_hmac

from flashback import names
from workspaces import events, invitations, members, organizations, spaces
from workspaces.access import OrganizationRole
from workspaces.invitation_models import Invitation
from workspaces.models import Organization, User, Workspace

ORGANIZATION = "Sample organization"
PRODUCTION, RESEARCH, EMPTY = "Production (sample)", "Research (sample)", "New team (sample)"
# Nobody can own an address below .example (RFC 2606), so no mail goes to a stranger.
DOMAIN = "sample.example"


@dataclass(frozen=True)
class Somebody:
    """A person of the sample. `access` is their role in the workspaces Production and Research, "" for none."""

    first: str
    last: str
    role: OrganizationRole = OrganizationRole.USER
    access: str = ""

    @property
    def email(self) -> str:
        """The address that they sign in with."""
        return f"{self.first.lower()}@{DOMAIN}"


OWNER = Somebody("Olivia", "Owner", OrganizationRole.OWNER)
PEOPLE = (
    Somebody("Ada", "Administrator", OrganizationRole.ADMINISTRATOR),
    Somebody("Walter", "Workspaces", OrganizationRole.WORKSPACES, "ADMIN"),
    Somebody("Bella", "Billing", OrganizationRole.BILLING, "READ"),
    Somebody("Priya", "Platform", access="WRITE"),
    Somebody("Tom", "Teamlead", access="ADMIN"),
    Somebody("Rita", "Reader", access="READ"),
)


class Cast(NamedTuple):
    """Who and where: the people by first name ("Olivia"), the workspaces by their names."""

    people: dict[str, User]
    workspaces: dict[str, Workspace]


def password() -> str:
    """Return the password of everybody in the sample: another one on each installation, the same at each run."""
    digits = salted_hmac("repositories.demo.people", "password", algorithm="sha256").hexdigest()
    return "-".join(("sample", digits[:5], digits[5:10], digits[10:15]))


def founder() -> User | None:
    """Return the owner of the sample organization, None when there is no sample here."""
    owner = User.objects.filter(email=OWNER.email, organization_role=OrganizationRole.OWNER)
    return owner.filter(organization__name_key=names.key(ORGANIZATION)).first()


def gather() -> Cast:
    """Return people and workspaces of the sample; those that are missing are made."""
    owner = founder() or organizations.found(
        organization=ORGANIZATION,
        workspace=PRODUCTION,
        email=OWNER.email,
        name=OWNER.first,
        last_name=OWNER.last,
        password=password(),
    )
    assert owner.organization is not None  # noqa: S101 - `founder` and `found` see to it
    there = {workspace.name: workspace for workspace in Workspace.objects.filter(organization=owner.organization)}
    for name in (PRODUCTION, RESEARCH, EMPTY):
        if name not in there:
            there[name] = spaces.create(owner, owner.organization, name=name)
    return Cast(_everybody(owner, owner.organization, [there[PRODUCTION], there[RESEARCH]]), there)


def _everybody(owner: User, organization: Organization, workspaces: list[Workspace]) -> dict[str, User]:
    found = {person.email: person for person in User.objects.filter(organization=organization)}
    hashed = make_password(password()) if len(found) <= len(PEOPLE) else ""
    for somebody in PEOPLE:
        person = found.get(somebody.email) or _join(organization, somebody, hashed)
        found[person.email] = person
        for workspace in workspaces:
            if somebody.access and not workspace.memberships.filter(user=person).exists():
                members.add(owner, workspace, person, role=somebody.access)
    if not Invitation.objects.filter(organization=organization).exists():
        invitations.create(owner, email=f"nina@{DOMAIN}", workspaces={workspaces[0]: "READ"})
    return {person.name.split()[0]: person for person in found.values()}


def _join(organization: Organization, somebody: Somebody, hashed: str) -> User:
    person = User(
        email=somebody.email,
        name=somebody.first,
        last_name=somebody.last,
        password=hashed,
        organization=organization,
        organization_role=somebody.role,
    )
    with transaction.atomic():
        person.save(force_insert=True)
        details = {"role": somebody.role.label}
        events.record(None, "person.created", person, organization=organization, details=details)
    return person
