"""The routes about workspaces and their members."""

from django.urls import path

from workspaces import space_views as views

urlpatterns = [
    path("organization/workspaces", views.workspaces, name="workspaces"),
    path("organization/workspaces/new", views.new, name="workspace_new"),
    path("w/<slug:slug>/settings", views.settings, name="workspace_settings"),
    path("w/<slug:slug>/members", views.members_page, name="members"),
    path("w/<slug:slug>/members/add", views.add, name="member_add"),
    path("w/<slug:slug>/members/<uuid:id>/role", views.role, name="member_role"),
    path("w/<slug:slug>/members/<uuid:id>/remove", views.remove, name="member_remove"),
]
