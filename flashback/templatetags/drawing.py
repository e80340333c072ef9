"""Template tags that do their work once: what only depends on our own code and on plain values is drawn and kept.

Nothing that a person may or may not see is decided here: a piece is kept under every value that it was drawn from, and
its template sees nothing else.
"""

import html
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from inspect import getfullargspec, unwrap
from secrets import token_hex
from typing import Any

from django import template
from django.conf import settings
from django.template import Context, Node
from django.template.base import FilterExpression, Parser, TextNode, Token, Variable
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as parse_url
from django.template.library import SimpleNode, parse_bits
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

PIECES = 1024
ADDRESSES = 8192


@register.simple_tag
def drawn(name: str, /, **values: Any) -> SafeString:
    """Return the template `name` drawn from plain values (texts, numbers, yes or no), and from nothing else.

    The same values give the same piece, which is then drawn once. For what is on most pages or often on one.
    """
    return _fresh(name, **values) if settings.DEBUG else _kept(name, **values)


def _fresh(name: str, /, **values: Any) -> SafeString:
    return mark_safe(render_to_string(name, values).strip())  # noqa: S308 - the template escapes


# By type too: a text that is already markup equals the same text that is still to be escaped.
_kept = lru_cache(maxsize=PIECES, typed=True)(_fresh)


def filled(name: str, rows: Iterable[Mapping[str, str]], /, **values: Any) -> SafeString:
    """Return the template `name` once for each of `rows`, which give the texts for its variables; they are escaped.

    The template is drawn once, with blanks for what the rows give, so tags in it can depend on `values` (as in `drawn`)
    and not on a row. A page of fifty rows comes so in a tenth of the time.
    """
    form, parts = None, list[str]()
    for row in rows:
        form = form or _form(name, tuple(row), **values)
        parts.append(form % {key: text if type(text) is SafeString else html.escape(text) for key, text in row.items()})
    return mark_safe("".join(parts))  # noqa: S308 - every text was escaped


@lru_cache(maxsize=PIECES, typed=True)
def _form(name: str, blanks: tuple[str, ...], /, **values: Any) -> str:
    marks = {blank: f"{token_hex(8)}-{blank}" for blank in blanks}
    form = _fresh(name, **values, **marks).replace("%", "%%")
    for blank, mark in marks.items():
        form = form.replace(mark, f"%({blank})s")
    return form


def address_of(name: str, arguments: tuple[Any, ...] = (), keywords: tuple[tuple[str, Any], ...] = ()) -> str:
    """Return the address of a route as Django's `reverse` does, which is asked once. Raises `NoReverseMatch`."""
    return _address(get_urlconf(), get_script_prefix(), name, arguments, keywords)


@lru_cache(maxsize=ADDRESSES)
def _address(
    urlconf: Any, _prefix: str, name: str, arguments: tuple[Any, ...], keywords: tuple[tuple[str, Any], ...]
) -> str:
    return reverse(name, urlconf=urlconf, args=arguments, kwargs=dict(keywords))


class AddressNode(URLNode):
    """Django's `{% url %}`, with the addresses of our own routes kept. The admin site's are left to Django."""

    def render(self, context: Context) -> str:
        """Return the address, or put it into the variable that the tag names."""
        name = self.view_name.resolve(context)
        if ":" in name:
            return str(super().render(context))
        arguments = tuple(argument.resolve(context) for argument in self.args)
        keywords = tuple((key, value.resolve(context)) for key, value in self.kwargs.items())
        try:
            address = address_of(name, arguments, keywords)
        except NoReverseMatch:
            if self.asvar is None:
                raise
            address = ""
        if self.asvar is None:
            return conditional_escape(address)
        context[self.asvar] = address
        return ""


@register.tag
def url(parser: Parser, token: Token) -> AddressNode:
    """Read `{% url 'name' … %}` as Django does."""
    node = parse_url(parser, token)
    return AddressNode(node.view_name, node.args, node.kwargs, node.asvar)


def constant(function: Callable[..., Any]) -> Callable[[Parser, Token], Node]:
    """Make a tag of `function`, as `simple_tag` does; with constants for arguments it is drawn when it is read.

    `function` takes no context and has no effects.
    """
    parameters, varargs, varkw, defaults, kwonly, kwonly_defaults, _ = getfullargspec(unwrap(function))

    def read(parser: Parser, token: Token) -> Node:
        name, *bits = token.split_contents()
        target = None
        if len(bits) >= 2 and bits[-2] == "as":
            target, bits = bits[-1], bits[:-2]
        arguments, keywords = parse_bits(  # type: ignore[call-arg]  # the stubs lack an argument
            parser,
            bits,
            parameters,
            varargs,
            varkw,
            defaults,
            kwonly,
            kwonly_defaults,
            False,  # type: ignore[arg-type]  # and take this one for the name
            name,
        )
        if target is None and all(map(_is_constant, [*arguments, *keywords.values()])):
            return TextNode(
                conditional_escape(
                    function(
                        *(argument.resolve(Context()) for argument in arguments),
                        **{key: value.resolve(Context()) for key, value in keywords.items()},
                    )
                )
            )
        return SimpleNode(function, False, arguments, keywords, target)

    return read


def _is_constant(argument: FilterExpression) -> bool:
    is_variable = isinstance(argument.var, Variable) and argument.var.lookups is not None
    return not argument.filters and not is_variable
