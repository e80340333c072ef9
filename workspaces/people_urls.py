"""The routes about the organization, its people and their invitations."""

from django.urls import path

from workspaces import accept_views, invitation_views, organization_views, people_views

PERSON = "organization/people/<uuid:id>"
INVITATION = "organization/invitations/<uuid:id>"

urlpatterns = [
    path("invitation/<str:token>", accept_views.accept, name="invitation"),
    path("organization", organization_views.profile, name="organization"),
    path("organization/roles", organization_views.roles, name="roles"),
    path("organization/people", people_views.people_page, name="people"),
    path(PERSON, people_views.person, name="person"),
    path(f"{PERSON}/name", people_views.names, name="person_name"),
    path(f"{PERSON}/role", people_views.role, name="person_role"),
    path(f"{PERSON}/deactivate", people_views.deactivate, name="person_deactivate"),
    path(f"{PERSON}/reactivate", people_views.reactivate, name="person_reactivate"),
    path(f"{PERSON}/ownership", people_views.ownership, name="person_ownership"),
    path("organization/invitations", invitation_views.invitations_page, name="invitations"),
    path("organization/invitations/new", invitation_views.invite, name="invitation_new"),
    path(INVITATION, invitation_views.invitation, name="invitation_detail"),
    path(f"{INVITATION}/resend", invitation_views.resend, name="invitation_resend"),
    path(f"{INVITATION}/withdraw", invitation_views.withdraw, name="invitation_withdraw"),
]
