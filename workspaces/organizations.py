"""The verbs on organizations."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction

from flashback import names
from flashback.errors import Conflict, Invalid, NotFound, collecting
from workspaces import access, events, spaces
from workspaces.access import OrganizationRole
from workspaces.models import Organization, User, UserQuerySet

SAME_NAME = "There is already an organization with this name. Choose another one."
SAME_EMAIL = "There is already a person with this e-mail address."
LONGEST_EMAIL = 254
# Any number will do, as long as nothing else here takes an advisory lock with it.
FOUNDING = 7_301_994
# What a profile holds besides its name, and whether it is a business.
PROFILE = ("domain", "website", "address1", "address2", "city", "zipcode", "state", "country", "phone")
HOST_NAME = re.compile(r"(?=.{4,253}\Z)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def has_owner() -> bool:
    """Return whether anybody owns an organization here, active or not."""
    return User.objects.filter(organization_role=OrganizationRole.OWNER).exists()


def owners(organization: UUID | None) -> UserQuerySet:
    """Return the owners of an organization who can sign in: who never chose a password owns it in name alone."""
    people = User.objects.active().filter(organization=organization, organization_role=OrganizationRole.OWNER)
    return people.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)


def found(
    *, organization: str, workspace: str, email: str, name: str, password: str, last_name: str = "", first: bool = False
) -> User:
    """Create an organization, its owner and its first workspace in one transaction; return the owner.

    Records `organization.created`, `person.created` and `workspace.created`. `name` and `last_name` may be blank.
    With `first`, it raises `Conflict` when an owner exists already, also when two do this at the same moment. Raises
    `Invalid` for all fields, with all that is wrong at once.
    """
    checked = _checked(organization, workspace, email, (name, last_name), password)
    hashed = make_password(password)  # before the transaction: it takes long on purpose
    try:
        with transaction.atomic():
            if first:
                _alone()
            return _found(checked, hashed)
    except IntegrityError:
        raise Invalid(_taken(checked) or {"": "Somebody else did the same just now. Try again."}) from None


def update(actor: User, organization: Organization, **given: Any) -> Organization:
    """Change the profile of the actor's organization and record `organization.updated` with old and new values.

    `given` holds any of name, is_business and the fields of PROFILE; what is left out stays. Nothing new records
    nothing. Raises `Denied` below the organization role Administrator, `NotFound` for another organization, and
    `Invalid` for these fields, with all that is wrong at once.
    """
    if organization.pk != actor.organization_id:
        raise NotFound
    access.require_organization(actor, OrganizationRole.ADMINISTRATOR)
    values = _profile(given)
    try:
        with transaction.atomic():
            row, actor = lock(actor)
            access.require_organization(actor, OrganizationRole.ADMINISTRATOR)
            changed = {field: [getattr(row, field), new] for field, new in values.items() if getattr(row, field) != new}
            for field, (_, new) in changed.items():
                setattr(row, field, new)
            if changed:
                row.name_key = names.key(row.name)
                row.save(update_fields=[*changed, "name_key"])
                events.record(actor, "organization.updated", row, organization=row, details=changed)
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return row


def transfer_ownership(actor: User, person: User) -> User:
    """Make `person` an owner in the place of `actor`, who becomes an administrator; return the new owner.

    Records `organization.ownership_transferred`. Raises `Denied` for who is no owner, and `Invalid` for the field
    `person`: oneself, of another organization, not active, without a password yet, or an owner already.
    """
    access.require_organization(actor, OrganizationRole.OWNER)
    with transaction.atomic():
        organization, actor = lock(actor)
        access.require_organization(actor, OrganizationRole.OWNER)
        heir = organization.people.filter(pk=person.pk).first()
        _refuse_heir(actor, heir)
        assert heir is not None  # noqa: S101 - refused above
        heir.organization_role, actor.organization_role = OrganizationRole.OWNER, OrganizationRole.ADMINISTRATOR
        heir.save(update_fields=["organization_role"])
        actor.save(update_fields=["organization_role"])
        details = {"owner": [actor.email, heir.email]}
        events.record(
            actor, "organization.ownership_transferred", organization, organization=organization, details=details
        )
    return heir


def hold(organization: UUID | None) -> None:
    """Hold the row of an organization until the transaction ends, for an `actor` who need not belong to it."""
    if organization is not None:
        Organization.objects.select_for_update(no_key=True).get(pk=organization)


def lock(actor: User) -> tuple[Organization, User]:
    """Hold the row of the actor's organization until the transaction ends; return it, and the actor as they are now.

    What decides about roles is read behind this lock, the actor's own role too.
    """
    organization = Organization.objects.select_for_update(of=("self",), no_key=True).get(people=actor)
    return organization, User.objects.select_related("organization").get(pk=actor.pk)


def _refuse_heir(actor: User, heir: User | None) -> None:
    if heir is None:
        raise Invalid({"person": "Nobody of this kind is in your organization."})
    if heir.pk == actor.pk or heir.organization_role == OrganizationRole.OWNER:
        raise Invalid({"person": f"{heir.label} is an owner already."})
    if not heir.is_active:
        raise Invalid({"person": f"The account of {heir.label} is not active. Reactivate it first."})
    if not heir.has_usable_password():
        raise Invalid({"person": f"{heir.label} has not accepted the invitation yet, and cannot sign in."})


def _profile(given: Mapping[str, Any]) -> dict[str, Any]:
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    for field, value in given.items():
        with collecting(errors):
            values[field] = _profile_value(field, value)
    if errors:
        raise Invalid(errors)
    return values


def _profile_value(field: str, value: Any) -> Any:
    if field == "is_business":
        return bool(value)
    if field == "name":
        return names.clean(value, label="Name of the organization")
    if field not in PROFILE:
        raise Invalid({field: "An organization has no such field."})
    text = " ".join(str(value or "").split())
    longest = getattr(Organization._meta.get_field(field), "max_length", 0)
    if len(text) > longest:
        raise Invalid({field: f"This has {len(text)} characters; at most {longest} are possible."})
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise Invalid({field: "This holds an invisible character. Type it again."})
    if field == "domain":
        return _domain(text)
    return _website(text) if field == "website" else text


def _domain(text: str) -> str:
    domain = text.lower().removeprefix("@").rstrip(".")
    if domain and not HOST_NAME.fullmatch(domain):
        raise Invalid({"domain": "Enter a domain such as example.com, without https:// and without a path."})
    return domain


def _website(text: str) -> str:
    website = text if not text or "://" in text else f"https://{text}"
    try:
        parts = urlsplit(website)
        host = parts.hostname or ""
        fine = parts.scheme in {"http", "https"} and not parts.username and HOST_NAME.fullmatch(host.lower())
    except ValueError:
        fine = None
    if website and not fine:
        raise Invalid({"website": "Enter an address such as https://www.example.com."})
    return website


def _found(checked: dict[str, str], hashed: str) -> User:
    name, role = checked["organization"], OrganizationRole.OWNER
    tenant = Organization.objects.create(name=name, name_key=names.key(name))
    owner = User(
        email=checked["email"],
        name=checked["name"],
        last_name=checked["last_name"],
        password=hashed,
        organization=tenant,
        organization_role=role,
    )
    owner.save(force_insert=True)
    events.record(None, "organization.created", tenant, organization=tenant)
    events.record(None, "person.created", owner, organization=tenant, details={"role": role.label})
    owner.last_workspace = spaces.create(owner, tenant, name=checked["workspace"])
    owner.save(update_fields=["last_workspace"])
    return owner


def _alone() -> None:
    # SQLite's write transactions are alone anyway; PostgreSQL's would both see an empty table.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FOUNDING])
    if has_owner():
        raise Conflict("This installation has an owner already. Sign in, or ask the owner to invite you.")


def _checked(organization: str, workspace: str, email: str, called: tuple[str, str], password: str) -> dict[str, str]:
    errors, checked = {}, {"email": email.strip().lower(), "name": "", "last_name": ""}
    named = {
        "organization": ("Name of the organization", organization),
        "workspace": ("Name of the workspace", workspace),
    }
    labels = {"name": "First name", "last_name": "Last name"}
    named |= {field: (labels[field], text) for field, text in zip(labels, called, strict=True) if text.strip()}
    for field, (label, text) in named.items():
        try:
            checked[field] = names.clean(text, field=field, label=label)
        except Invalid as invalid:
            errors.update(invalid.errors)
    errors |= wrong_email(checked["email"]) | wrong_password(password, checked["email"], *called)
    errors = {**_taken(checked), **errors}
    if errors:
        raise Invalid(errors)
    return checked


def wrong_email(email: str) -> dict[str, str]:
    """Return what is wrong with an e-mail address as {"email": message}, {} for nothing."""
    try:
        validate_email(email)
    except ValidationError:
        return {"email": "Enter an e-mail address, such as name@example.com."}
    return {"email": "This e-mail address is too long."} if len(email) > LONGEST_EMAIL else {}


def wrong_password(password: str, email: str, name: str, last_name: str = "") -> dict[str, str]:
    """Return what is wrong with a new password of this person as {"password": message}, {} for nothing."""
    try:
        validate_password(password, User(email=email, name=name, last_name=last_name))
    except ValidationError as invalid:
        return {"password": " ".join(invalid.messages)}
    return {}


def _taken(checked: dict[str, str]) -> dict[str, str]:
    errors = {}
    if Organization.objects.filter(name_key=names.key(checked.get("organization", ""))).exists():
        errors["organization"] = SAME_NAME
    # PostgreSQL refuses a NUL before it looks.
    if "\0" not in checked["email"] and User.objects.filter(email=checked["email"]).exists():
        errors["email"] = SAME_EMAIL
    return errors
