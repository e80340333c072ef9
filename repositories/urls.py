"""The routes about repositories, attachments and AI API keys, below `/w/<workspace>/`."""

from django.urls import path

from repositories import attachment_views, key_views, views

REPOSITORY = "repositories/<uuid:id>"
KEY = f"{REPOSITORY}/keys/<uuid:key>"

urlpatterns = [
    path("repositories", views.overview, name="repositories"),
    path("repositories/inventory", views.inventory, name="repository_inventory"),
    path("repositories/keys", key_views.index, name="ai_api_keys"),
    path("repositories/new", views.new, name="repository_new"),
    path(REPOSITORY, views.repository, name="repository"),
    path(f"{REPOSITORY}/edit", views.edit, name="repository_edit"),
    path(f"{REPOSITORY}/disable", views.disable, name="repository_disable"),
    path(f"{REPOSITORY}/enable", views.enable, name="repository_enable"),
    path(f"{REPOSITORY}/delete", views.delete, name="repository_delete"),
    path(f"{REPOSITORY}/models", views.models, name="repository_models"),
    path(f"{REPOSITORY}/attach", attachment_views.attach, name="repository_attach"),
    path(f"{REPOSITORY}/order", attachment_views.order, name="repository_order"),
    path(f"{REPOSITORY}/detach", attachment_views.detach, name="repository_detach"),
    path(f"{REPOSITORY}/ai-llm/<uuid:ai_llm>", attachment_views.attachment, name="repository_attachment"),
    path(f"{REPOSITORY}/keys/new", key_views.new, name="ai_api_key_new"),
    path(KEY, key_views.key, name="ai_api_key"),
    path(f"{KEY}/edit", key_views.edit, name="ai_api_key_edit"),
    path(f"{KEY}/rotate", key_views.rotate, name="ai_api_key_rotate"),
    path(f"{KEY}/end-former", key_views.end_former, name="ai_api_key_end_former"),
    path(f"{KEY}/revoke", key_views.revoke, name="ai_api_key_revoke"),
    path("ai/llm/<uuid:id>/attach", attachment_views.attach_to, name="ai_llm_attach"),
    path("ai/llm/<uuid:id>/move", attachment_views.move, name="ai_llm_move"),
]
