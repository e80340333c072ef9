"""The routes about the organization, its people and their invitations."""

from django.urls import path

from workspaces import accept_views

urlpatterns = [
    path("invitation/<str:token>", accept_views.accept, name="invitation"),
]
