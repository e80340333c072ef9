"""The OpenAI form of an API, spoken by OPENAI and by most of OTHER: one free GET of the list of models.

Sources: https://platform.openai.com/docs/api-reference/models/list and the rows of `recipes`.
"""

import re

from ai_llm.providers import addresses, answers, recipes, verdicts
from ai_llm.providers.facts import Error, Judgement, Recipe, UnprovableError
from flashback.outbound import Answer, Request

# A JSON Web Token (RFC 7519): three parts, the first of which is an object in base64.
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


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
    recipe = recipes.pick(endpoint)
    return recipe.listing(endpoint) if recipe and recipe.listing else f"{base_of(endpoint)}/models"


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
    headers = authorization(secret, _header(recipe, secret))
    if key:
        headers["x-api-key"] = key
    listing = Request("GET", list_address(endpoint), headers)
    return (Request(recipe.proof_method, recipe.proof, headers), listing) if recipe and recipe.proof else (listing,)


def authorization(secret: str, header: str = "Authorization") -> dict[str, str]:
    """Return the headers that carry `secret`; none for a server that needs no secret."""
    accept = {"Accept": "application/json"}
    if not secret:
        return accept
    return {**accept, header: f"Bearer {secret}" if header == "Authorization" else secret}


def _header(recipe: Recipe | None, secret: str) -> str:
    """Return the header for `secret`: a token of Entra ID travels as Bearer also where keys have a header of their own.

    https://learn.microsoft.com/azure/ai-foundry/openai/reference#authentication
    """
    return "Authorization" if recipe is None or TOKEN.fullmatch(secret) else recipe.header


def judge(answer: Answer, endpoint: str) -> Judgement:
    """Return what the answer to one of the requests means."""
    recipe = recipes.pick(endpoint)
    if recipe and recipe.proof and 200 <= answer.status < 300:
        proven = _of_proof(answer, recipe)
        if proven is not None:
            return proven
    return verdicts.judge(answer, address(endpoint), recipe.refine if recipe and recipe.refine else _plain)


def origins(endpoint: str) -> tuple[str, ...]:
    """Return the constant origin of the recipe's proof address, if it has one."""
    recipe = recipes.pick(endpoint)
    return (recipes.proof_origin(recipe),) if recipe and recipe.proof else ()


def _of_proof(answer: Answer, recipe: Recipe) -> Judgement | None:
    """Return what a proof address says about the key, None unless it holds the recipe's field, and no error.

    A status of 200 alone is no proof: some servers wrap a refusal in it.
    """
    value = answers.read(answer.body)
    if not isinstance(value, dict) or value.get("error") or value.get("errors"):
        return None
    about = value["data"] if isinstance(value.get("data"), dict) else value
    told = about.get(recipe.proof_field)
    if not (isinstance(told, list | bool) or (isinstance(told, str) and told)):
        return None
    cause = recipe.told(about) if recipe.told else ""
    return Judgement(cause or "accepted", {} if cause else {"count": 0})


def _plain(status: int, error: Error) -> str:
    del status, error
    return ""
