"""The verb that sends one tiny message: the only check that may cost, so it runs for a person's own click alone.

It goes the way of the free check: the same client, the same limits, the same judgement of what goes wrong.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.views.decorators.debug import sensitive_variables

from ai_llm import history, key_shapes, outcomes, validation
from ai_llm.models import AiLlm, Check, CheckKind
from ai_llm.outcomes import Result
from ai_llm.probing import Probe, controlled, first_answer, sent_in_turn, without_token
from ai_llm.providers import Judgement, UnprovableError, answers, control, sizes, talk
from flashback.errors import Invalid, NotFound
from flashback.outbound import Answer, Failure, Request
from workspaces import access
from workspaces.access import Access
from workspaces.models import User

LONGEST_MODEL = answers.LONGEST_NAME
MOST_REQUESTS = 3
NO_MODEL = "Enter the name of a model as the provider writes it. No list of models is known for this AI LLM yet."
NOT_A_MODEL = "Enter the name of a model: at most 200 letters, figures and signs, without blanks."
A_SECRET = "This looks like a secret, not like the name of a model. Nothing was sent."  # noqa: S105 - words


def send(actor: User, ai_llm: AiLlm, *, model: str = "") -> Check:
    """Send one message of about 20 tokens to `model`, by default the smallest of the account's own list, and store it.

    A model that thinks first gets room for about 500 tokens. The provider charges the account. Blocks for up to 10 s.
    Stores a check of the kind *message* and one event. Raises `Denied`, `Busy`, `Invalid` (field model), `NotFound`
    when the AI LLM was deleted before, `Conflict` when it was changed or deleted meanwhile (nothing is stored then),
    and RuntimeError inside a transaction.
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    tested = AiLlm.objects.select_related("workspace", "credential").filter(pk=ai_llm.pk, deleted_at=None).first()
    if tested is None:
        raise NotFound
    listed = [] if talk.names_deployments(tested.type, tested.endpoint) else validation.models_of(tested)
    model = clean_model(model) or smallest(listed)
    counted = validation.count(actor)
    origins = talk.origins(tested.type, tested.endpoint)
    ran = validation.run_stored(tested, ask=_Talk(tested.type, model), origins=origins)
    result = validation.not_busy(ran, counted)
    return history.keep(actor, tested, _finished(result), kind=CheckKind.MESSAGE)


def clean_model(text: str) -> str:
    """Return the name of a model as it will be sent, "" for none. Raises `Invalid` for what cannot be one."""
    name = text.strip()
    if len(name) > LONGEST_MODEL or not name.isprintable() or " " in name:
        raise Invalid({"model": NOT_A_MODEL})
    if key_shapes.owner_of(name) is not None:
        raise Invalid({"model": A_SECRET})
    return name


def smallest(models: Iterable[str]) -> str:
    """Return the model that a message goes to when nobody chose one. Raises `Invalid` when no model can chat."""
    choice = sizes.choose(models)
    if choice is None:
        raise Invalid({"model": NO_MODEL})
    return choice.model


class _Talk:
    """What takes the place of the free check inside a probe."""

    def __init__(self, type: str, model: str) -> None:
        self.type, self.model = type, model

    @sensitive_variables("request")
    def __call__(self, probe: Probe) -> Judgement:
        """Send the message, once more in another form if the answer asks for one, and judge the answer."""
        if any(text in self.model for text in probe.confidential):
            raise Invalid({"model": A_SECRET})
        message = talk.first(self.type, probe.endpoint, self.model, thinks=sizes.thinks(self.model))
        try:
            refused = without_token(probe)
            request = self._request(probe, probe.token or probe.secret, probe.key, message)
        except UnprovableError as unprovable:
            return Judgement(unprovable.cause)
        if refused is not None:
            return refused
        if probe.stands_in(request.url):
            return Judgement("secret_in_endpoint")
        answer = first_answer(probe, request)
        if isinstance(answer, Judgement):
            return self._with_model(answer)
        for _ in range(MOST_REQUESTS):
            judgement = self._judged(probe, answer)
            other = talk.again(message, answer, judgement)
            if other is None:
                break
            message = other
            again = self._answer(probe, message)
            if again is None:
                break
            answer = again
        return self._proven(probe, message, answer, judgement)

    def _request(self, probe: Probe, secret: str, key: str, message: talk.Message) -> Request:
        return talk.describe(self.type, probe.endpoint, secret, key, message, account=probe.secret)

    def _judged(self, probe: Probe, answer: Answer) -> Judgement:
        return talk.judge(self.type, probe.endpoint, answer, self.model, open=probe.keyless)

    def _with_model(self, judgement: Judgement) -> Judgement:
        return replace(judgement, facts={**judgement.facts, "model": self.model})

    def _answer(self, probe: Probe, message: talk.Message) -> Answer | None:
        """Ask once more; None when no answer came, and what the first one said stands."""
        try:
            answer = sent_in_turn(probe, self._request(probe, probe.token or probe.secret, probe.key, message))
        except Failure:
            return None
        probe.status, probe.stages = answer.status, answer.stages
        return answer

    def _proven(self, probe: Probe, message: talk.Message, answer: Answer, judgement: Judgement) -> Judgement:
        """Return what holds in the end: a refusal is a word about the secret only when a made-up one gets another."""
        if judgement.cause in talk.ANSWERED:
            spent: dict[str, Any] = {"latency": _latency(answer), "room": message.room}
            return replace(judgement, facts={**judgement.facts, **spent})
        cause = judgement.cause
        if probe.keyless:
            cause = control.without_secret(judgement, answer, probe.recipe, probe.endpoint)
        elif control.needed(probe.recipe, judgement, answer.status):
            cause = controlled(
                probe,
                judgement,
                answer.status,
                describe=lambda secret, key: self._request(probe, secret, key, message),
                judge=lambda answer: self._judged(probe, answer),
            )
        if judgement.cause == "model_not_there" and cause not in {"model_not_there", "secret_needed"}:
            cause = "model_absent"
        return replace(judgement, cause=cause)


def _latency(answer: Answer) -> int:
    """Return the milliseconds from the last byte sent to the last one received."""
    return max(1, round(next((stage.ms or 0 for stage in answer.stages if stage.name == "http"), 0)))


def _finished(result: Result) -> Result:
    """Return the result as a message's own. The free check's guess at a better path is no use here."""
    facts = {name: value for name, value in result.facts.items() if name != "fix" or result.cause != "path_not_found"}
    return replace(result, facts=facts, stages=_stages(result))


def _stages(result: Result) -> list[dict[str, Any]]:
    """Return the strip of a message: in the place of the models stands whether the message was answered."""
    answered = result.cause in talk.ANSWERED
    last = {"name": outcomes.MESSAGE, "state": outcomes.PASSED, "ms": None} if answered else None
    return [
        (last or {**stage, "name": outcomes.MESSAGE}) if stage["name"] == "models" else stage for stage in result.stages
    ]
