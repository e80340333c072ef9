"""The verbs on credential rows. `ai_llm.configs` calls them inside its transactions, and asks for the permission."""

import json
import re
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID, uuid4

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from encrypted_model_fields import fields as package

from ai_llm import expiry
from ai_llm.models import Credential, KeyCheck
from flashback import sealed
from flashback.errors import Invalid
from flashback.prepared import prepared
from workspaces.models import User, Workspace

SHORTEST = {"key": 1}
SHORTEST_SECRET, LONGEST, LONGEST_JSON = 8, 4096, 16_384
HINTED_FROM = 20  # characters: of a shorter secret, the last four would tell too much
VISIBLE = re.compile(r"[\x21-\x7e]+")
MASKED = re.compile(r"\*{3}|•|…|\.{3}|●{2}|[\[<(](hidden|sealed|redacted|secret|masked)[\])>]", re.IGNORECASE)
PAIRS = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\u00ab\u00bb", "\u201e\u201c", "\u201d\u201d")

GENERIC = "This is not a secret as a provider issues it. Copy it again from the provider's page."
NOTHING = "Enter a value."
LABELLED = "Leave out the word in front of it, such as Bearer, and paste only the secret itself."
QUOTED = "Remove the quotes around it."
MASK = "This is a masked form of the secret, as pages show it. Paste the secret itself."
CONTROL = "It holds an invisible control character. Copy it again from the provider's page."
BROKEN = "It holds a line break. Paste it as one line."
BLANK = "It holds a blank in the middle. Paste one secret, without blanks."
FOREIGN = (
    "Character {place} is not a plain letter, figure or sign (U+{code:04X}). Copy it again from the provider's page."
)
SHORT = "It has {length} characters, and {least} are the least. Check that all of it was copied."
LONG = "It has {length} characters, and {most} are the most. Check that only the secret was copied."
LOST_KEY = "The stored API Key cannot be opened any more. Enter it again, or remove it."
TORN = "This begins like a JSON key file but is not a whole one. Paste the whole file."


class Opened(NamedTuple):
    """An opened credential, for the one request that it goes into. `key` is "" when there is none."""

    secret: str
    key: str

    def __repr__(self) -> str:
        return "<Opened>"


def clean(text: str, *, field: str) -> str:
    """Return a pasted API Secret (`field` "secret") or API Key ("key") as it will be sealed.

    Outer white space goes; a key file in JSON is written in its shortest form; anything else must be visible ASCII,
    8 to 4096 characters (an API Key: 1 to 4096). Raises `Invalid` for `field` with what to do, never with the text.
    """
    stripped = text.strip()
    least = SHORTEST.get(field, SHORTEST_SECRET)
    try:
        cleaned = _minified(stripped)
        fault = "" if cleaned.startswith("{") else _fault(cleaned, least)
    except ValueError:
        cleaned, fault = "", _long(stripped, LONGEST_JSON) or TORN
    if fault or _ours(cleaned):
        raise Invalid({field: fault or GENERIC})
    return cleaned


def create(
    workspace: Workspace,
    origin: str,
    *,
    secret: str,
    key: str,
    set_by: User | None,
    id: UUID | None = None,
) -> Credential:
    """Store a new credential that may go to `origin` (scheme://host:port) only. Both texts are cleaned; "" is no key.

    Call inside the transaction that makes the row pointing at it.
    """
    credential = Credential(id=id or uuid4(), workspace=workspace, origin=origin)
    fill(credential, secret=secret, key=key, set_by=set_by)
    credential.save(force_insert=True)
    return credential


def overwrite(
    credential: Credential, *, secret: str, key: str = "", remove_key: bool = False, set_by: User | None
) -> None:
    """Seal a new secret over the old one, in the same row and for the same origin.

    A blank `key` keeps the stored API Key as it is sealed, `remove_key` drops it. Raises `Invalid` for "key" when no
    keyring key opens what should be kept. Call inside the transaction that records it.
    """
    kept, fingerprint = credential.key, credential.key_fingerprint
    fill(credential, secret=secret, key=key, set_by=set_by)
    if not key and not remove_key and kept is not None:
        try:
            credential.key = kept if kept.current else kept.rotated()
        except sealed.Unsealable:
            raise Invalid({"key": LOST_KEY}) from None
        credential.key_fingerprint = fingerprint
    credential.save()


def fill(credential: Credential, *, secret: str, key: str, set_by: User | None) -> None:
    """Seal both into the row, which the caller saves, and renew everything that tells of them. Texts are cleaned."""
    prove_key()
    workspace = credential.workspace_id
    credential.secret, credential.key = sealed.Fresh(secret), sealed.Fresh(key) if key else None
    credential.fingerprint = sealed.fingerprint(workspace, secret)
    credential.key_fingerprint = sealed.fingerprint(workspace, key) if key else ""
    credential.hint = "" if len(secret) < HINTED_FROM or secret.startswith("{") else secret[-4:]
    credential.key_id, credential.set_at, credential.set_by = sealed.key_id(), timezone.now(), set_by
    credential.expires_at = expiry.proposed(secret)  # what is entered beside it goes before


def set_key(credential: Credential, key: str) -> None:
    """Seal another API Key beside the secret, which stays; "" removes the stored one. `key` is cleaned.

    Call inside the transaction that records it.
    """
    prove_key()
    credential.key = sealed.Fresh(key) if key else None
    credential.key_fingerprint = sealed.fingerprint(credential.workspace_id, key) if key else ""
    credential.save(update_fields=["key", "key_fingerprint"])


@sensitive_variables("secret", "key")
def succeed(
    old: Credential | None,
    workspace: Workspace,
    origin: str,
    *,
    secret: str,
    key: str,
    remove_key: bool,
    set_by: User,
) -> Credential:
    """Store a new credential beside `old`, for the same connection: with a blank `key` it gets the API Key of `old`.

    Raises `Invalid` for "key" when that cannot be opened. Call inside the transaction that makes a row point at it.
    """
    if not key and not remove_key and old is not None and old.key is not None:
        try:
            key = old.key.open(old.sealing_context())
        except sealed.Unsealable:
            raise Invalid({"key": LOST_KEY}) from None
    return create(workspace, origin, secret=secret, key=key, set_by=set_by)


def purge(credential: Credential) -> None:
    """Overwrite what is sealed, then delete the row, in one transaction. Pointers to it become empty."""
    with transaction.atomic():
        credential.secret = credential.key = None
        credential.save(update_fields=["secret", "key"])
        credential.delete()


def open_secret(credential: Credential) -> Opened:
    """Return the API Secret and API Key in clear, for one outbound request. Raises `sealed.Unsealable`.

    A credential whose secret is gone counts as undecryptable: it has to be entered again.
    """
    if credential.secret is None:
        raise sealed.Unsealable("undecryptable")
    context = credential.sealing_context()
    key = credential.key.open(context) if credential.key is not None else ""
    return Opened(credential.secret.open(context), key)


def holds(credential: Credential, secret: str) -> bool:
    """Tell whether `secret`, as it was typed, is the one that is sealed here, without opening it."""
    try:
        return sealed.fingerprint(credential.workspace_id, clean(secret, field="secret")) == credential.fingerprint
    except Invalid:
        return False


def prove_key() -> KeyCheck:
    """Return the key check row of the key that seals now; its first use makes it."""
    sealing = sealed.key_id()
    held: list[KeyCheck] = _key_checks(sealing)
    if held:
        return held[0]
    row, _ = KeyCheck.objects.get_or_create(key_id=sealing, defaults={"text": sealed.Fresh(KeyCheck.TEXT)})
    return row


@prepared
def _key_checks(id: str) -> "QuerySet[KeyCheck]":
    return KeyCheck.objects.filter(key_id=id)


def _minified(text: str) -> str:
    """Return a JSON object in its shortest form, in ASCII; other text as it is. Raises ValueError for a torn one."""
    if not text.startswith("{"):
        return text
    if len(text) > LONGEST_JSON:
        raise ValueError(text[:1])
    try:
        return json.dumps(json.loads(text), separators=(",", ":"))
    except RecursionError:
        raise ValueError(text[:1]) from None


def _fault(text: str, least: int) -> str:
    """Return what is wrong with a pasted secret that is not a file, or ""."""
    faults: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: not text, NOTHING),
        (lambda: re.match(r"(authorization\s*:|(bearer|basic)\s)", text, re.IGNORECASE), LABELLED),
        (lambda: len(text) > 1 and text[0] + text[-1] in PAIRS, QUOTED),
        (lambda: MASKED.search(text), MASK),
        (lambda: re.search(r"[\r\n\u2028\u2029]", text), BROKEN),
        (lambda: re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text), CONTROL),
        (lambda: re.search(r"\s", text), BLANK),
    )
    fault = next((message for applies, message in faults if applies()), "")
    return fault or _foreign(text) or _short(text, least) or _long(text, LONGEST)


def _foreign(text: str) -> str:
    match = VISIBLE.match(text)
    place = match.end() if match else 0
    return "" if place == len(text) else FOREIGN.format(place=place + 1, code=ord(text[place]))


def _short(text: str, least: int) -> str:
    return SHORT.format(length=len(text), least=least) if len(text) < least else ""


def _long(text: str, most: int) -> str:
    return LONG.format(length=len(text), most=most) if len(text) > most else ""


def _ours(text: str) -> bool:
    """Tell whether `text` is a sealed value of this installation: accepting it would help whoever stole a backup."""
    try:
        package.decrypt_str(text)
    except (InvalidToken, UnicodeError):
        return False
    return True
