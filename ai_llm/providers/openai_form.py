"""The OpenAI form of an API, spoken by OPENAI and by most of OTHER: one free GET of the list of models.

Sources: https://platform.openai.com/docs/api-reference/models/list and the rows of `recipes`.
"""

from ai_llm.providers import addresses, answers, recipes, verdicts
from ai_llm.providers.facts import Error, Judgement, UnprovableError
from flashback.outbound import Answer, Request


def base_of(endpoint: str) -> str:
    """Return the base URL that calls are made under: the endpoint with exactly one version path.

    An endpoint that is a bare host gets the path of its recipe, or /v1; any other path is taken as it is.
    """
    path = addresses.once(addresses.path_of(endpoint))
    recipe = recipes.pick(endpoint)
    if not path:
        path = addresses.path_of(recipe.base) if recipe and recipe.base else recipe.path if recipe else "/v1"
    return addresses.with_path(endpoint, path)


def list_address(endpoint: str) -> str:
    """Return the URL of the list of models."""
    return f"{base_of(endpoint)}/models"


def address(endpoint: str) -> str:
    """Return the URL that proves the credential: the recipe's own where the list is public, else the list."""
    recipe = recipes.pick(endpoint)
    return recipe.proof if recipe and recipe.proof else list_address(endpoint)


def describe_without_key(endpoint: str, secret: str, key: str) -> tuple[Request, ...]:
    """Return the requests of a check; the API Key has no use here and stays at home."""
    del key
    return describe(endpoint, secret, "")


def describe(endpoint: str, secret: str, key: str) -> tuple[Request, ...]:
    """Return the requests of a check. A `key` is sent beside the secret as `x-api-key`, for a gateway in front."""
    recipe = recipes.pick(endpoint)
    if recipe and not recipe.lists_models:
        raise UnprovableError("no_list")
    headers = authorization(secret, recipe.header if recipe else "Authorization")
    if key:
        headers["x-api-key"] = key
    listing = Request("GET", list_address(endpoint), headers)
    return (Request("GET", recipe.proof, headers), listing) if recipe and recipe.proof else (listing,)


def authorization(secret: str, header: str = "Authorization") -> dict[str, str]:
    """Return the headers that carry `secret`; none for a server that needs no secret."""
    accept = {"Accept": "application/json"}
    if not secret:
        return accept
    return {**accept, header: f"Bearer {secret}" if header == "Authorization" else secret}


def judge(answer: Answer, endpoint: str) -> Judgement:
    """Return what the answer to one of the requests means."""
    recipe = recipes.pick(endpoint)
    if recipe and recipe.proof and 200 <= answer.status < 300:
        proven = _of_proof(answer, recipe.proof_field)
        if proven is not None:
            return proven
    return verdicts.judge(answer, address(endpoint), recipe.refine if recipe and recipe.refine else _plain)


def origins(endpoint: str) -> tuple[str, ...]:
    """Return the constant origin of the recipe's proof address, if it has one."""
    recipe = recipes.pick(endpoint)
    return (recipes.proof_origin(recipe),) if recipe and recipe.proof else ()


def _of_proof(answer: Answer, field: str) -> Judgement | None:
    """Return what a proof address says about the key, None unless it holds `field` as a text or a list, and no error.

    A status of 200 alone is no proof: some servers wrap a refusal in it.
    """
    value = answers.read(answer.body)
    if not isinstance(value, dict) or value.get("error") or value.get("errors"):
        return None
    about = value["data"] if isinstance(value.get("data"), dict) else value
    told = about.get(field)
    if not (isinstance(told, list) or (isinstance(told, str) and told)):
        return None
    left = about.get("limit_remaining")
    if isinstance(left, int | float) and left <= 0:
        # https://openrouter.ai/docs/api-reference/limits: the key's own cap is used up
        return Judgement("no_credit", provider_code="limit_remaining")
    return Judgement("accepted", {"count": 0})


def _plain(status: int, error: Error) -> str:
    del status, error
    return ""
