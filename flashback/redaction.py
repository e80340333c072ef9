"""Keeps secrets out of logs and error reports."""

import logging

from django.views.debug import SafeExceptionReporterFilter


class ReporterFilter(SafeExceptionReporterFilter):
    """Django's filter."""


class RedactingFilter(logging.Filter):
    """Second layer."""


class LineFormatter(logging.Formatter):
    """One line a record."""
