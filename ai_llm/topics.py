"""Which section of the page Help, Troubleshooting explains which cause. A section's slug is its anchor there.

The guide's four tips are sections of their own, in the guide's words; what they do not cover has sections beside them.
"""

from functools import lru_cache
from typing import NamedTuple

from ai_llm.causes import CAUSES, ActionKind, Cause
from ai_llm.models import Verdict


class Topic(NamedTuple):
    """A section: its anchor, its heading, and the template with its words."""

    slug: str
    title: str

    @property
    def template(self) -> str:
        """The template with what the section says."""
        return f"help/_{self.slug.replace('-', '_')}.html"


AUTHENTICATION = Topic("authentication", "Validation fails with authentication error")
ENDPOINT = Topic("endpoint", "Provider returns endpoint/model errors")
VISIBILITY = Topic("visibility", "Configuration not visible where expected")
POLICY = Topic("policy", "Calls blocked by policy")
LIMITS = Topic("limits", "Accepted, but limited")
PROOF = Topic("proof", "The check proves nothing")
SILENCE = Topic("silence", "No usable answer from the provider")
OPERATOR = Topic("operator", "Something that the operator has to change")
WORKS = Topic("works", "Accepted")
TOPICS = (AUTHENTICATION, ENDPOINT, VISIBILITY, POLICY, LIMITS, PROOF, SILENCE, OPERATOR, WORKS)

_BY_ACTION = {
    ActionKind.REPLACE_SECRET: AUTHENTICATION,
    ActionKind.EDIT_ENDPOINT: ENDPOINT,
    ActionKind.URL_FIX: ENDPOINT,
    ActionKind.MESSAGE: PROOF,
    ActionKind.ASK_OPERATOR: OPERATOR,
}
_BY_VERDICT = {Verdict.ACCEPTED: WORKS, Verdict.REJECTED: AUTHENTICATION, Verdict.LIMITED: LIMITS}
# About the model that was asked for, whatever the verdict is.
_MODELS = frozenset(
    {"model_absent", "model_forbidden", "model_not_allowed", "model_not_there", "model_unknown", "message_refused",
     "profile_needed"}
)  # fmt: skip
_PROOF = frozenset({"public_list", "keys_not_checked", "refused_alike", "control_unclear", "no_list"})


@lru_cache(maxsize=256)
def of(code: str) -> Topic:
    """Return the section that explains the cause `code`; every cause has one."""
    cause = CAUSES[code]
    if code in _MODELS:
        return ENDPOINT
    if code in _PROOF:
        return PROOF
    return _BY_VERDICT.get(cause.verdict) or _BY_ACTION.get(cause.action.kind, SILENCE)


def causes_of(topic: Topic) -> list[Cause]:
    """Return the causes that a section explains, in the order of the catalogue."""
    return [cause for code, cause in CAUSES.items() if of(code) == topic]
