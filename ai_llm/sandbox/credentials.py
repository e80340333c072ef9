"""The credentials that the sandbox provider takes. They open nothing else, so they may be printed and committed."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """What an access key of the sandbox may do."""

    GOOD = "good"
    DENIED = "denied"  # known, but without the right to Amazon Bedrock
    EXPIRED = "expired"  # a temporary key whose session has run out


class Trouble(StrEnum):
    """What is wrong with a key that the sandbox knows; each has a secret of its own, the same at every host."""

    NO_CREDIT = "no-credit"
    NO_RIGHTS = "no-rights"
    BLOCKED = "blocked"
    DISABLED = "disabled"


@dataclass(frozen=True)
class AccessKey:
    """An access key pair in the form of AWS: 20 and 40 characters, a session token only for a temporary one."""

    id: str
    secret: str
    standing: Standing = Standing.GOOD
    token: str = ""


@dataclass(frozen=True)
class Secrets:
    """The right credential of each dialect."""

    openai: str = "sandbox-openai-secret-0123456789abcdef"
    anthropic: str = "sandbox-anthropic-secret-0123456789abcdef"
    gemini: str = "sandbox-gemini-secret-00-0123456789abcdef"
    bedrock: str = "sandbox-bedrock-secret-0-0123456789abcdef"
    aws_access_key_id: str = "SANDBOXACCESSKEY0001"
    aws_secret_access_key: str = "sandbox-aws-secret-01-x0123456789abcdefx"  # noqa: S105 (opens the sandbox only)


SECRETS = Secrets()
ACCESS_KEYS = {
    key.id: key
    for key in (
        AccessKey(SECRETS.aws_access_key_id, SECRETS.aws_secret_access_key),
        AccessKey("SANDBOXACCESSKEY0002", "sandbox-aws-secret-02-x0123456789abcdefx", Standing.DENIED),
        AccessKey(
            "SANDBOXACCESSKEY0003", "sandbox-aws-secret-03-x0123456789abcdefx", Standing.EXPIRED, "sandbox-token"
        ),
    )
}
TROUBLED = {f"sandbox-secret-{trouble}-0123456789abcdef": trouble for trouble in Trouble}
