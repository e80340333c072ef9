"""The routes about AI LLMs, below `/w/<workspace>/`."""

from django.urls import path

from ai_llm import (
    bulk,
    edit_views,
    lifecycle_views,
    message_views,
    provider_key_views,
    rotation_views,
    selected,
    views,
    wizard,
)

urlpatterns = [
    path("ai", views.overview, name="overview"),
    path("ai/activity", views.activity, name="activity"),
    path("ai/llm", views.ai_llms, name="ai_llms"),
    path("ai/llm/validate", bulk.validate, name="ai_llms_validate"),
    path("ai/llm/selected/<slug:act>", selected.change, name="ai_llms_change"),
    path("ai/llm/new", wizard.new, name="ai_llm_new"),
    path("ai/llm/new/examine", wizard.examine, name="ai_llm_examine"),
    path("ai/llm/new/hints", wizard.hints, name="ai_llm_hints"),
    path("ai/keys", provider_key_views.provider_keys_page, name="provider_keys"),
    path("ai/keys/new", provider_key_views.new, name="provider_key_new"),
    path("ai/keys/<uuid:id>", provider_key_views.edit, name="provider_key_edit"),
    path("ai/keys/<uuid:id>/delete", provider_key_views.delete, name="provider_key_delete"),
    path("ai/llm/<uuid:id>", views.ai_llm, name="ai_llm"),
    path("ai/llm/<uuid:id>/edit", edit_views.edit, name="ai_llm_edit"),
    path("ai/llm/<uuid:id>/rotate", rotation_views.rotate, name="ai_llm_rotate"),
    path("ai/llm/<uuid:id>/rotate/waiting", rotation_views.waiting, name="ai_llm_waiting"),
    path("ai/llm/<uuid:id>/rotate/former", rotation_views.former, name="ai_llm_former"),
    path("ai/llm/<uuid:id>/validate", views.validate, name="ai_llm_validate"),
    path("ai/llm/<uuid:id>/message", message_views.send, name="ai_llm_message"),
    path("ai/llm/<uuid:id>/disable", lifecycle_views.disable, name="ai_llm_disable"),
    path("ai/llm/<uuid:id>/enable", lifecycle_views.enable, name="ai_llm_enable"),
    path("ai/llm/<uuid:id>/delete", lifecycle_views.delete, name="ai_llm_delete"),
    path("ai/llm/<uuid:id>/diagnostics", lifecycle_views.diagnose, name="ai_llm_diagnostics"),
]
