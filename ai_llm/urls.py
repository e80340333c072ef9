"""The routes about AI LLMs, below `/w/<workspace>/`."""

from django.urls import path

from ai_llm import bulk, views, wizard

urlpatterns = [
    path("ai", views.overview, name="overview"),
    path("ai/activity", views.activity, name="activity"),
    path("ai/llm", views.ai_llms, name="ai_llms"),
    path("ai/llm/validate", bulk.validate, name="ai_llms_validate"),
    path("ai/llm/new", wizard.new, name="ai_llm_new"),
    path("ai/llm/new/examine", wizard.examine, name="ai_llm_examine"),
    path("ai/llm/<uuid:id>", views.ai_llm, name="ai_llm"),
    path("ai/llm/<uuid:id>/edit", views.edit, name="ai_llm_edit"),
    path("ai/llm/<uuid:id>/rotate", views.rotate, name="ai_llm_rotate"),
    path("ai/llm/<uuid:id>/validate", views.validate, name="ai_llm_validate"),
    path("ai/llm/<uuid:id>/delete", views.delete, name="ai_llm_delete"),
]
