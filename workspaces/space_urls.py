"""The routes about workspaces and their members."""

from django.urls import path

from workspaces import audit_views, second_factor_views, token_views
from workspaces import space_views as views

urlpatterns = [
    path("organization/workspaces", views.workspaces, name="workspaces"),
    path("organization/workspaces/new", views.new, name="workspace_new"),
    path("w/<slug:slug>/settings", views.settings, name="workspace_settings"),
    path("w/<slug:slug>/delete", views.delete, name="workspace_delete"),
    path("w/<slug:slug>/members", views.members_page, name="members"),
    path("w/<slug:slug>/members/add", views.add, name="member_add"),
    path("w/<slug:slug>/members/<uuid:id>/role", views.role, name="member_role"),
    path("w/<slug:slug>/members/<uuid:id>/remove", views.remove, name="member_remove"),
    path("w/<slug:slug>/tokens", token_views.of_workspace, name="workspace_tokens"),
    path("w/<slug:slug>/tokens/new", token_views.new_of_workspace, name="workspace_token_new"),
    path("w/<slug:slug>/tokens/<uuid:id>/revoke", token_views.revoke_of_workspace, name="workspace_token_revoke"),
    path("w/<slug:slug>/audit", audit_views.of_workspace, name="audit"),
    path("w/<slug:slug>/audit/<int:id>", audit_views.event_of_workspace, name="audit_event"),
    path("w/<slug:slug>/audit/export", audit_views.export_of_workspace, name="audit_export"),
    path("organization/security", second_factor_views.policy, name="organization_security"),
    path("organization/audit", audit_views.of_organization, name="organization_audit"),
    path("organization/audit/<int:id>", audit_views.event_of_organization, name="organization_audit_event"),
    path("organization/audit/export", audit_views.export_of_organization, name="organization_audit_export"),
]
