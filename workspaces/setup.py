"""The one-time link: whoever started an empty installation becomes its owner through it."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

from workspaces import organizations

SALT = "flashback.setup"
PURPOSE = "owner"
LIFETIME = 24 * 3600  # seconds


def is_open() -> bool:
    """Return whether the installation still waits for its owner."""
    return not organizations.has_owner()


def link() -> str | None:
    """Return the address that makes an owner, good for a day and for one use; None once an owner exists."""
    if not is_open():
        return None
    token = signing.dumps(PURPOSE, salt=SALT)
    return settings.PUBLIC_URL + reverse("setup", args=[token])


def accepts(token: str) -> bool:
    """Return whether `token` was made by `link` here within the last day."""
    try:
        return bool(signing.loads(token, salt=SALT, max_age=LIFETIME) == PURPOSE)
    except signing.BadSignature:
        return False
