"""The pages about an organization itself: its profile, and what each role may do."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from flashback.errors import Denied, Invalid
from flashback.web import see_other
from workspaces import access, organizations, rights
from workspaces.access import OrganizationRole
from workspaces.address import Request
from workspaces.models import Organization
from workspaces.people_forms import OrganizationForm


def own(request: Request) -> Organization:
    """Return the organization of whoever asks. Raises `Denied` for staff without one."""
    found = Organization.objects.visible_to(request.user).first()
    if found is None:
        raise Denied("You belong to no organization: your account is for the admin site.")
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: Request) -> HttpResponse:
    """What the organization is called and where it is; an administrator can change it."""
    organization = own(request)
    if request.method == "POST":
        access.require_organization(request.user, OrganizationRole.ADMINISTRATOR)
    form = OrganizationForm(request.POST if request.method == "POST" else None, organization=organization)
    if form.is_bound and form.is_valid():
        try:
            organizations.update(request.user, organization, **form.cleaned_data)
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            messages.success(request, "Saved.")
            return see_other("organization")
    people = organization.people.active()
    values = {
        "form": form,
        "organization": organization,
        "may_change": request.user.organization_role >= OrganizationRole.ADMINISTRATOR,
        "may_manage_people": request.user.organization_role >= OrganizationRole.WORKSPACES,
        "owners": people.with_role(OrganizationRole.OWNER).by_label()[:10],
        "people": people.count(),
        "spaces": organization.workspaces.count(),
        "facts": [(form[name].label, getattr(organization, name)) for name in organizations.PROFILE],
    }
    return render(request, "workspaces/organization.html", values, status=422 if form.errors else 200)


@require_safe
def roles(request: Request) -> HttpResponse:
    """What each role may do, in a workspace and in the organization."""
    own(request)
    values = {
        "tables": rights.tables(),
        "own_role": OrganizationRole(request.user.organization_role),
        "grantors": access.named(access.granting(request.user, OrganizationRole.WORKSPACES)),
    }
    return render(request, "workspaces/roles.html", values)
