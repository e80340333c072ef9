"""The API's description of itself (OpenAPI 3.1), made from its operations, and completed with what they share.

https://spec.openapis.org/oas/v3.1.0
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from flashback import schemas

FAILURES = {
    400: ("The request cannot be used; `errors` names the fields.", "name: This field is required."),
    401: (
        "The access token (of POST /user/login) or the API token is missing, unknown, expired or revoked.",
        "This sign-in is over. Sign in again.",
    ),
    403: (
        "The caller, or the scope of its token, may not do this.",
        "This needs the role WRITE in Main.",
    ),
    404: ("Nothing of this id exists for the caller.", "There is nothing here that you can see."),
    405: (
        "The address does not know this method; `Allow` lists those it knows.",
        "This address does not know this method.",
    ),
    409: ("Something else happened in the meantime, or is in the way.", "This workspace was deleted in the meantime."),
    412: ("`If-Match` names another version.", "This has changed since you read it."),
    413: ("The body is larger than 256 KiB.", "At most 256 KiB can be sent at once. Send less."),
    415: ("The body is not JSON in UTF-8.", "Send JSON, in UTF-8."),
    429: ("Too many requests; `Retry-After` says how many seconds to wait.", "A token may send 120 requests a minute."),
    500: ("A fault of the server; the message has a number that its log has too.", "The server met an error."),
    503: ("The storage is away; `Retry-After` says when to try again.", "The server cannot reach its storage."),
}
WRITES = frozenset({"post", "put", "delete"})
METHODS = frozenset({"get", *WRITES})
REFERENCE = "#/components/schemas/"
DEEPEST = 12
THINGS = {
    "llm": "AI LLM",
    "ai_llm": "AI LLM",
    "apikeys": "provider key",
    "repo": "repository",
    "key": "AI API key",
    "org_id": "organization",
    "user_id": "person",
    "apitokens": "API token",
    "sessions": "session",
}
OWN = ("example", "const", "default")
# What makes a thing: the address of the thing, and where in the answer its id stands. All that can be done with it is
# linked to it (https://spec.openapis.org/oas/v3.1.0#link-object).
MADE = {
    "sign_in": ("/token/{token_id}", "/tokenId"),
    "create_organization_user": ("/organization/users/{user_id}", "/data/id"),
    "create_api_token": ("/user/apitokens/{id}", "/apiToken/id"),
    "create_workspace_api_token": ("/workspace/{workspace_id}/apitokens/{id}", "/apiToken/id"),
    "create_invitation": ("/organization/invitations/{id}", "/invitation/id"),
    "create_workspace": ("/workspace/{workspace_id}", "/workspace/id"),
    "create_ai_llm": ("/ai/llm/{id}", "/aiLlmId"),
    "create_provider_key": ("/apikeys/{id}", "/apiKeyId"),
    "create_repository": ("/repo/{id}", "/repoId"),
    "create_ai_api_key": ("/repo/{id}/ai/apikey/{key}", "/id"),
}


def completed(document: dict[str, Any], needs: Mapping[tuple[str, str], str | None]) -> dict[str, Any]:
    """Return `document` with the failures of each operation, and examples of bodies and answers.

    `needs` holds the scope that an API token must have, by method and path; None where no API token will do.
    """
    components = document["components"]["schemas"]
    components["Failure"] = schemas.Failure.model_json_schema(by_alias=True, ref_template=f"{REFERENCE}{{model}}")
    scheme = document["components"]["securitySchemes"]["Bearer"]
    scheme["description"] = "An access token of POST /user/login (JWT), or an API token (fbk_…) with the scope named."
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _describe(operation["parameters"], path)
            _complete(operation, method, components)
            if operation.get("security"):
                scope = needs[method, path]
                operation["x-token-scope"] = scope
                who = f"API tokens need the scope `{scope}`." if scope else "API tokens are not taken here."
                operation["description"] = f"{operation['description']}\n\n{who}"
            elif "security" not in operation:
                operation["security"] = []
    _link(document["paths"])
    # What is described in a docstring is broken where the source is; paragraphs stay.
    return _unwrapped(json.loads(json.dumps(document, default=str)))


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int = 0) -> Any:
    """Return an example that fits `schema`, put together from those of its fields."""
    schema, deeper = _meant(schema, components), depth + 1
    given = [*schema.get("examples", ()), *(schema[word] for word in OWN if word in schema), *schema.get("enum", ())]
    if given or depth > DEEPEST:
        return given[0] if given else None
    if "properties" in schema:
        return {name: example_of(one, components, deeper) for name, one in schema["properties"].items()}
    return [example_of(schema["items"], components, deeper)] if "items" in schema else None


def _meant(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what `schema` points at; its own words count more than those of what it points at."""
    if "$ref" in schema:
        return {**_meant(components[schema["$ref"].removeprefix(REFERENCE)], components), **schema}
    choice = next((schema[word][0] for word in ("allOf", "anyOf", "oneOf") if word in schema), None)
    return {**_meant(choice, components), **schema} if choice is not None else schema


def _describe(parameters: list[dict[str, Any]], path: str) -> None:
    for parameter in parameters:
        if parameter["in"] == "path":
            name = parameter["name"]
            if name == "id":  # of what stands before it: /repo/{id}
                name = path.partition("/{id}")[0].rpartition("/")[2]
            thing = THINGS.get(name) or name.removesuffix("_id").replace("_", " ")
            parameter.setdefault("description", f"Id of the {thing}.")
            parameter.setdefault("example", schemas.EXAMPLE_ID)


def _link(paths: dict[str, Any]) -> None:
    for operation in [one for methods in paths.values() for one in methods.values()]:
        if operation["operationId"] in MADE:
            address, pointer = MADE[operation["operationId"]]
            *outer, inner = re.findall(r"{(\w+)}", address)
            where = {f"path.{name}": f"$request.path.{name}" for name in outer}
            where[f"path.{inner}"] = f"$response.body#{pointer}"
            answer = next(one for status, one in operation["responses"].items() if int(status) < 300)
            answer["links"] = {
                one["operationId"]: {
                    "operationId": one["operationId"],
                    "parameters": where,
                    "description": one["summary"],
                }
                for path, methods in paths.items()
                if f"{path}/".startswith(f"{address}/")
                for one in methods.values()
            }


def _complete(operation: dict[str, Any], method: str, components: Mapping[str, Any]) -> None:
    contents = [operation["requestBody"]] if "requestBody" in operation else []
    contents += operation["responses"].values()
    for content in contents:
        for media in content.get("content", {}).values():
            if "schema" in media and "example" not in media and "examples" not in media:
                media["example"] = example_of(media["schema"], components)
    for status in _failures(operation, method):
        words, message = FAILURES[status]
        failure = {"schema": {"$ref": f"{REFERENCE}Failure"}, "example": {"success": False, "message": message}}
        answer = {"description": words, "content": {"application/json": failure}}
        operation["responses"].setdefault(status, answer)


def _failures(operation: Mapping[str, Any], method: str) -> list[int]:
    found = [400, 500, 503]
    if operation.get("security") or "requestBody" in operation:  # signing in and out have no security
        found += [401, 403, 429]
    if any(one["in"] in {"path", "query"} for one in operation["parameters"]):  # an id may stand in either
        found.append(404)
    if method in WRITES:
        found += [404, 409]
    if "requestBody" in operation:
        found += [413, 415]
    if any(one["name"] == "If-Match" for one in operation["parameters"]):
        found.append(412)
    return sorted(set(found))


def _unwrapped(document: dict[str, Any]) -> dict[str, Any]:
    for methods in document["paths"].values():
        for operation in methods.values():
            paragraphs = operation["description"].split("\n\n")
            operation["description"] = "\n\n".join(" ".join(one.split()) for one in paragraphs)
    return document
