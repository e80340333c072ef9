"""Which model of an account's own list takes one tiny message: the smallest that can chat, judged by its name alone.

Never a fixed name: test models retire, and good keys then cannot be checked
(https://github.com/langgenius/dify-official-plugins/issues/3516). A wrong guess does no harm, since a person sees the
choice, and may make another.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Words of names whose models do not take a chat message: parts of a word, and whole words.
NOT_CHAT = re.compile(
    r"embed|rerank|moderation|guard|shield|whisper|speech|transcri|realtime|image|imagine|video|voice|audio|diffusion"
    r"|dall-?e|deep-research|computer-use|davinci|babbage|retriev|reward|banana|lyria|codex"
)
NOT_CHAT_WORDS = frozenset({
    "tts", "asr", "stt", "bge", "e5", "gte", "clip", "ocr", "live", "veo", "sora", "flux", "sdxl", "sd3", "canvas",
    "reel", "sonic", "aqa", "search", "robotics", "fim", "orpheus", "kling", "suno", "recraft", "auto", "router",
    "parse", "detect",
})  # fmt: skip
COMPLETIONS_ONLY = re.compile(r"gpt-3\.5-turbo-instruct")

# Models that think before they answer; their thoughts count as output. The non-reasoning forms say so in their names.
# https://platform.openai.com/docs/guides/reasoning, https://ai.google.dev/gemini-api/docs/thinking
REASONING = re.compile(
    r"(?<![a-z0-9])o\d(?![a-z0-9.])|gpt-5(?!.*chat)|gpt-oss|reason|think|(?<![a-z])r1(?![0-9])|qwq|magistral"
    r"|gemini-(?:2\.5|[3-9])(?!.*flash-lite)|grok-(?:3-mini|[4-9])|qwen3(?!.*(?:instruct|coder))|minimax-m\d|glm-(?:4\.[5-9]|[5-9])"
    r"|kimi-k2\.[5-9]|deepseek-v4"
)
PLAIN = re.compile(r"non-?reasoning|non-?thinking|no-?think")

PARAMETERS = re.compile(r"(?<![a-z0-9.])(?:(\d{1,2})x)?(\d{1,4}(?:\.\d{1,2})?)([bm])(?![a-z0-9])")
# About how many thousand million parameters, or what stands for them in price. The first word that fits decides.
WORDS = (
    ("nano", 1.5), ("micro", 1.6), ("tiny", 1.0), ("flash-lite", 2.5), ("mini", 4), ("lite", 4.5), ("small", 6),
    ("haiku", 7), ("flash", 8), ("instant", 8), ("fast", 9), ("air", 10), ("turbo", 15), ("medium", 25), ("sonnet", 60),
    ("plus", 60), ("large", 80), ("pro", 100), ("max", 120), ("premier", 120), ("ultra", 150), ("opus", 200),
)  # fmt: skip
UNKNOWN = 40.0
# Names that are not meant to stay, or are special, lose against a plain one of the same size.
PASSING = re.compile(r"preview|(?<![a-z])exp(?![a-z])|experimental|beta|alpha|custom|(?<![a-z])base(?![a-z])|\bft:")
MOST = 100


@dataclass(frozen=True)
class Choice:
    """A model of the list and why it is the one: `reason` continues the sentence "It is chosen because …"."""

    model: str
    reason: str
    reasons: bool


def choose(models: Iterable[str]) -> Choice | None:
    """Return the smallest model of `models` that can chat, one that does not think first if there is any; else None."""
    best = next(iter(ranked(models)), None)
    if best is None:
        return None
    size, sign = _size(best.lower())
    known = sign and size < UNKNOWN
    reason = f"{sign} in its name says that it is small" if known else "no smaller one is known by name"
    return Choice(best, reason, thinks(best))


def ranked(models: Iterable[str]) -> list[str]:
    """Return the models that can chat, the smallest first and those that think first at the end, at most 100."""
    return sorted(filter(chats, models), key=_order)[:MOST]


def chats(model: str) -> bool:
    """Return whether a model's name speaks against nothing that a chat message needs."""
    name = model.lower()
    return not (NOT_CHAT.search(name) or COMPLETIONS_ONLY.search(name) or NOT_CHAT_WORDS & set(_words(name)))


def thinks(model: str) -> bool:
    """Return whether a model is known to think before it answers, so that it needs room for its thoughts."""
    name = model.lower()
    return REASONING.search(name) is not None and PLAIN.search(name) is None


def _order(model: str) -> tuple[bool, float, bool, bool, int, str]:
    name = model.lower()
    paid = not name.endswith(":free")  # https://openrouter.ai/docs/api-reference/limits: these cost nothing
    return thinks(model), _size(name)[0], paid, PASSING.search(name) is not None, len(name), name


def _size(name: str) -> tuple[float, str]:
    """Return how large a model seems, and the part of its name that says so ("" when none does)."""
    found = [(_count(*match.groups()), match[0]) for match in PARAMETERS.finditer(name)]
    if found:
        return max(found)
    words = f"-{'-'.join(_words(name))}-"
    return next(((size, word) for word, size in WORDS if f"-{word}-" in words), (UNKNOWN, ""))


def _count(times: str | None, number: str, unit: str) -> float:
    return float(times or 1) * float(number) / (1000 if unit == "m" else 1)


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9.]+", name)
