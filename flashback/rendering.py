"""Draws the inputs of forms: as Django's templates of widgets do, without running two templates for one tag."""

from typing import Any

from django.forms.renderers import DjangoTemplates
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString

# All of these templates are `django/forms/widgets/input.html`.
INPUTS = frozenset(
    f"django/forms/widgets/{kind}.html" for kind in ("text", "password", "email", "url", "hidden", "number")
)


class Renderer(DjangoTemplates):
    """Django's renderer of forms, with a short way for inputs of one line."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        """Return the widget as HTML."""
        if template_name in INPUTS:
            return _input(context["widget"])
        return super().render(template_name, context, request)


def _input(widget: dict[str, Any]) -> SafeString:
    value = "" if widget["value"] is None else f' value="{conditional_escape(widget["value"])}"'
    return SafeString(
        f'<input type="{escape(widget["type"])}" name="{escape(widget["name"])}"{value}{_attributes(widget["attrs"])}>'
    )


def _attributes(attributes: dict[str, Any]) -> str:
    return "".join(
        f" {escape(name)}" if value is True else f' {escape(name)}="{conditional_escape(value)}"'
        for name, value in attributes.items()
        if value is not False
    )
