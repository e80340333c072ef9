"""The verbs on API tokens, and how a program is recognised by one (`authenticate`).

A token acts as the person who made it, with at most the rights of its scope, and in one workspace alone if it was made
there. It has no rights of its own: what the person may no longer do, it may not either, and it dies with the account,
one of a workspace with the membership there.
People, members, tokens and the audit log are out of its reach (`access.Limits`).
"""

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from django.core.cache import cache
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from flashback import names
from flashback import tokens as bearers
from flashback.errors import Conflict, Denied, Invalid, Repeated, TooMany
from workspaces import access, events
from workspaces.access import TOKENS_MAY_NOT, Access
from workspaces.models import User, Workspace
from workspaces.token_models import ApiToken, Scope

log = logging.getLogger(__name__)

PREFIX = "fbk_"
DEFAULT_DAYS, MOST_DAYS = 90, 365
MOST_LIVE = 50
USE_NOTED_EVERY = timedelta(minutes=10)
PER_MINUTE, MINUTE = 120, 60
NOT_ACCEPTED = "This token is not accepted: it is unknown, expired or revoked, or its person lost the access."


class Refused(Denied):
    """The program is not let in (401). `message` is the same for every cause; `reason` is for the log alone."""

    status = 401

    def __init__(self, reason: str) -> None:
        super().__init__(NOT_ACCEPTED)
        self.reason = reason


class AlreadyCreated(Conflict):
    """The form was sent before and made `token`, which was shown in the answer to that."""

    def __init__(self, token: ApiToken) -> None:
        super().__init__("This form was sent before. The token was shown once, in the answer to the first time.")
        self.token = token


@dataclass(frozen=True)
class Made:
    """A new token. `text` is what the program sends; it is shown once and kept nowhere."""

    token: ApiToken
    text: str = field(repr=False)


@dataclass(frozen=True)
class Rate:
    """What is left of a token's requests: `left` of `PER_MINUTE`, for another `seconds`."""

    left: int
    seconds: int


def create(
    actor: User,
    *,
    name: str,
    scope: str,
    days: int = DEFAULT_DAYS,
    workspace: Workspace | None = None,
    id: UUID | None = None,
) -> Made:
    """Create a token of `actor`, for one workspace or (None) wherever they may go, and record `api_token.created`.

    `id` is the one that a form carried: sent twice, the second time raises `AlreadyCreated`. Raises `Denied` for API
    tokens and outside an organization, and below ADMIN for a workspace's; `Invalid` for the fields name, scope and
    days; `Conflict` for the id of another token.
    """
    _require(actor, workspace)
    pk = id or uuid4()
    _refuse_made_before(pk, actor, workspace)
    name = _cleaned(actor, workspace, name, scope, days)
    issued = bearers.issue(PREFIX)
    row = ApiToken(
        id=pk,
        user=actor,
        workspace=workspace,
        name=name,
        scope=scope,
        public_id=issued.public_id,
        digest=issued.digest,
        hint=issued.hint,
        expires_at=timezone.now() + timedelta(days=days),
    )
    details = {"scope": scope, "expires_at": row.expires_at, "token": row.public_id}
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            events.record(actor, "api_token.created", row, workspace=workspace, details=details)
    except IntegrityError:
        _refuse_made_before(pk, actor, workspace)
        raise
    return Made(row, issued.text)


def revoke(actor: User, token: ApiToken) -> bool:
    """Stop a token at once and for good, and record `api_token.revoked`; False when it was revoked before.

    Raises `Denied` for API tokens, for other people's personal tokens, and below ADMIN for a workspace's unless it is
    one's own.
    """
    if actor.limits is not None:
        raise Denied(TOKENS_MAY_NOT)
    if token.user_id != actor.pk:
        if token.workspace is None:
            raise Denied("This token belongs to somebody else.")
        access.require(actor, token.workspace, Access.ADMIN)
    with transaction.atomic():
        row = ApiToken.objects.select_for_update(of=("self",)).filter(pk=token.pk, revoked_at=None).first()
        if row is None:
            return False
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        events.record(actor, "api_token.revoked", row, workspace=token.workspace)
    return True


def end_lost(actor: User, person: User) -> None:
    """Stop the tokens of `person`, as stored now, for workspaces that they can see no more, for good.

    Called by what takes somebody out, in its transaction. Records `api_token.revoked` for each.
    """
    rows = ApiToken.objects.live().filter(user=person).exclude(workspace=None).select_related("workspace")
    for row in rows.exclude(workspace__in=Workspace.objects.visible_to(person)):
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        events.record(actor, "api_token.revoked", row, workspace=row.workspace)


def personal(actor: User) -> "QuerySet[ApiToken]":
    """Return the personal tokens of `actor` that are not revoked, the newest first."""
    return ApiToken.objects.filter(user=actor, workspace=None, revoked_at=None).order_by("-created_at", "pk")


def of_workspace(workspace: Workspace) -> "QuerySet[ApiToken]":
    """Return the tokens of a workspace that are not revoked, the newest first, with their people."""
    rows = ApiToken.objects.filter(workspace=workspace, revoked_at=None).select_related("user")
    return rows.order_by("-created_at", "pk")


def authenticate(text: str) -> ApiToken:
    """Return the token that a program sends, with its person; at most one write in ten minutes (last used).

    Raises `Refused`, with one same message for every cause; the cause itself is in its `reason` and in the log.
    """
    public_id = bearers.public_id(text, PREFIX)
    if not public_id:
        raise _refused("not one of our tokens", "")
    rows = ApiToken.objects.select_related("user__organization", "workspace")
    token = rows.filter(public_id=public_id).first()
    if not bearers.matches(text, token.digest if token else bearers.NOTHING) or token is None:
        raise _refused("wrong secret" if token else "unknown token", public_id)
    if reason := _reason(token):
        raise _refused(reason, public_id)
    _note_use(token)
    return token


def count(token: ApiToken) -> Rate:
    """Count one request of `token`, and return what is left of its minute. Raises `TooMany`."""
    now = time.time()
    seconds = MINUTE - int(now % MINUTE)
    key = f"workspaces.tokens:{token.pk}:{int(now // MINUTE)}"
    cache.add(key, 0, 2 * MINUTE)
    try:
        used = cache.incr(key)
    except ValueError:  # the entry was pushed out in between
        used = 1
    if used > PER_MINUTE:
        raise TooMany(f"A token may send {PER_MINUTE} requests a minute. Wait {seconds} seconds.", retry_after=seconds)
    return Rate(PER_MINUTE - used, seconds)


def _require(actor: User, workspace: Workspace | None) -> None:
    if actor.limits is not None:
        raise Denied(TOKENS_MAY_NOT)
    if not actor.is_active or actor.organization_id is None:
        raise Denied("API tokens are for people of an organization.")
    if workspace is not None:
        access.require(actor, workspace, Access.ADMIN)


def _cleaned(actor: User, workspace: Workspace | None, name: str, scope: str, days: int) -> str:
    name = names.clean(name)
    errors = {}
    if len(name) > 80:
        errors["name"] = "Choose a name of at most 80 characters."
    if scope not in Scope.values:
        errors["scope"] = f"Choose one of: {', '.join(Scope.values)}."
    if isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        errors["days"] = f"Choose 1 to {MOST_DAYS} days."
    place = ApiToken.objects.live().filter(workspace=workspace)
    same = place if workspace else place.filter(user=actor)
    if same.filter(name__iexact=name).exists():
        errors["name"] = "There is already a token with this name here. Choose another one."
    elif same.count() >= MOST_LIVE:
        errors["name"] = f"At most {MOST_LIVE} tokens are possible here. Revoke one that nobody needs."
    if errors:
        raise Invalid(errors)
    return name


def _refuse_made_before(pk: UUID, actor: User, workspace: Workspace | None) -> None:
    made = ApiToken.objects.filter(pk=pk).first()
    if made is None:
        return
    if made.user_id != actor.pk or made.workspace_id != (workspace.pk if workspace else None):
        raise Repeated("This form belongs to another token. Start again with Create API token.")
    raise AlreadyCreated(made)


def _reason(token: ApiToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at <= timezone.now():
        return "expired"
    if not token.user.is_active or token.user.organization_id is None:
        return "account not active"
    if token.workspace is not None and access.of(token.user, token.workspace) is None:
        return "no member any more"
    return ""


def _refused(reason: str, public_id: str) -> Refused:
    log.info("API token refused: %s (%s)", reason, public_id or "no id")
    return Refused(reason)


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - USE_NOTED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    try:
        with transaction.atomic():
            ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    except DatabaseError:  # a request must not fail because a note about it could not be written
        log.warning("The use of an API token could not be noted.")
