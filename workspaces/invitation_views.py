"""The pages about invitations, for those who invite."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from flashback import mail
from flashback.errors import Conflict, Denied, Invalid
from flashback.web import see_other
from workspaces import access, invitations
from workspaces.access import OrganizationRole
from workspaces.address import Request
from workspaces.invitation_models import Invitation, InvitationState
from workspaces.people_forms import InviteForm
from workspaces.reauthentication import recently_authenticated

SHOWN = 50


@require_safe
def invitations_page(request: Request) -> HttpResponse:
    """All invitations with what became of them."""
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    state = request.GET.get("state", "")
    rows = Invitation.objects.visible_to(request.user).in_state(state)
    rows = rows.select_related("invited_by", "person").prefetch_related("promised__workspace").order_by("-created_at")
    values = {
        "page": Paginator(rows, SHOWN).get_page(request.GET.get("page")),
        "state": state,
        "states": InvitationState.choices,
    }
    return render(request, "workspaces/invitations.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def invite(request: Request) -> HttpResponse:
    """Choose address, role and workspaces; then the link is mailed or shown, once."""
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    form = InviteForm(request.POST if request.method == "POST" else None, actor=request.user)
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        try:
            made = invitations.create(
                request.user,
                email=values["email"],
                role=values["role"],
                workspaces=form.promised(),
                by_mail=values["way"] == "mail",
            )
        except (Invalid, Denied) as refused:
            form.take(refused.errors if isinstance(refused, Invalid) else {"": refused.message})
        else:
            return _handed_over(request, made)
    return render(request, "workspaces/invite.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def invitation(request: Request, id: UUID) -> HttpResponse:
    """One invitation: what it promises, what became of it, and what can be done about it."""
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    row = invitations.of(request.user, id)
    values = {
        "invitation": row,
        "role": OrganizationRole(row.role).label,
        "promised": row.promised.select_related("workspace").order_by("workspace__name_key"),
        "can_resend": row.state in {InvitationState.OPEN, InvitationState.EXPIRED},
        "delivered": mail.delivers(),
        "homeless": row.state == InvitationState.OPEN and _homeless(row),
        "can_withdraw": row.state in {InvitationState.OPEN, InvitationState.EXPIRED},
    }
    return render(request, "workspaces/invitation.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
def resend(request: Request, id: UUID) -> HttpResponse:
    """Make a new link. A GET, as after a reload without scripts, leads back to the invitation."""
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    row = invitations.of(request.user, id)
    if request.method != "POST":
        return see_other("invitation_detail", row.pk)
    try:
        made = invitations.resend(request.user, row, by_mail=request.POST.get("way") == "mail")
    except Conflict as conflict:
        messages.error(request, conflict.message)
        return see_other("invitation_detail", row.pk)
    return _handed_over(request, made)


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: Request, id: UUID) -> HttpResponse:
    """End an invitation. A GET leads back to it."""
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    row = invitations.of(request.user, id)
    if request.method == "POST":
        try:
            invitations.withdraw(request.user, row)
            messages.success(request, f"The invitation of {row.email} is withdrawn. Its link does nothing any more.")
        except Conflict as conflict:
            messages.error(request, conflict.message)
    return see_other("invitation_detail", row.pk)


def _handed_over(request: Request, made: invitations.Made) -> HttpResponse:
    """Lead on when the mail is out; otherwise show the link, this once. No page is kept by anybody (no-store)."""
    if made.mailed:
        messages.success(request, f"The invitation is on its way to {made.invitation.email}.")
        return see_other("invitation_detail", made.invitation.pk)
    values = {
        "invitation": made.invitation,
        "link": made.link,
        "failed": made.invitation.by_mail,
        "delivered": mail.delivers(),
        "homeless": _homeless(made.invitation),
    }
    return render(request, "workspaces/invitation_made.html", values)


def _homeless(row: Invitation) -> bool:
    """Return whether whoever accepts will find no workspace: administrators see all of them, others theirs."""
    return row.role < OrganizationRole.ADMINISTRATOR and not row.promised.exists()
