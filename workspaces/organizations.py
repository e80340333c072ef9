"""The verbs on organizations."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction

from flashback import names
from flashback.errors import Conflict, Invalid
from workspaces import events, spaces
from workspaces.access import OrganizationRole
from workspaces.models import Organization, User

SAME_NAME = "There is already an organization with this name. Choose another one."
SAME_EMAIL = "There is already a person with this e-mail address."
LONGEST_EMAIL = 254
# Any number will do, as long as nothing else here takes an advisory lock with it.
FOUNDING = 7_301_994


def has_owner() -> bool:
    """Return whether anybody owns an organization here, active or not."""
    return User.objects.filter(organization_role=OrganizationRole.OWNER).exists()


def found(*, organization: str, workspace: str, email: str, name: str, password: str, first: bool = False) -> User:
    """Create an organization, its owner and its first workspace in one transaction; return the owner.

    Records `organization.created`, `person.created` and `workspace.created`. `name` may be blank. With `first`, it
    raises `Conflict` when an owner exists already, also when two do this at the same moment. Raises `Invalid` for the
    fields organization, workspace, email, name and password, with all that is wrong at once.
    """
    checked = _checked(organization, workspace, email, name, password)
    hashed = make_password(password)  # before the transaction: it takes long on purpose
    try:
        with transaction.atomic():
            if first:
                _alone()
            return _found(checked, hashed)
    except IntegrityError:
        raise Invalid(_taken(checked) or {"": "Somebody else did the same just now. Try again."}) from None


def _found(checked: dict[str, str], hashed: str) -> User:
    name, role = checked["organization"], OrganizationRole.OWNER
    tenant = Organization.objects.create(name=name, name_key=names.key(name))
    owner = User(
        email=checked["email"],
        name=checked["name"],
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


def _checked(organization: str, workspace: str, email: str, name: str, password: str) -> dict[str, str]:
    errors, checked = {}, {"email": email.strip().lower(), "name": ""}
    named = {
        "organization": ("Name of the organization", organization),
        "workspace": ("Name of the workspace", workspace),
    }
    if name.strip():
        named["name"] = ("Name", name)
    for field, (label, text) in named.items():
        try:
            checked[field] = names.clean(text, field=field, label=label)
        except Invalid as invalid:
            errors.update(invalid.errors)
    errors |= wrong_email(checked["email"]) | wrong_password(password, checked["email"], name)
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


def wrong_password(password: str, email: str, name: str) -> dict[str, str]:
    """Return what is wrong with a new password of this person as {"password": message}, {} for nothing."""
    try:
        validate_password(password, User(email=email, name=name))
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
