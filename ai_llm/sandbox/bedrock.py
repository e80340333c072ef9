"""The dialect of Amazon Bedrock: an access key pair that signs each request, or a Bedrock API key as a bearer token.

Paths and shapes: https://docs.aws.amazon.com/bedrock/latest/APIReference/ (ListFoundationModels, Converse, and
CommonErrors).
Bearer keys: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html; their refusal as quoted in
https://github.com/ai4s-research/open-science/issues/53

Both hosts (bedrock for lists, bedrock-runtime for calls) are served at one address here, and a path may begin with a
region (`/eu-central-1/foundation-models`) in the place of the region in a host name. The API key belongs to us-east-1.
"""

import re
from datetime import UTC, datetime

from ai_llm.sandbox import signature
from ai_llm.sandbox.credentials import ACCESS_KEYS, SECRETS, AccessKey, Standing
from ai_llm.sandbox.messages import Answer, Received, decoded, same
from ai_llm.sandbox.openai import SENTENCE

HOME_REGION = "us-east-1"
MODELS = ("anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0")
_REGION = re.compile(r"/([a-z]{2}(?:-[a-z]+)+-\d)(/.*)")
_CONVERSE = re.compile(r"/model/([^/]+)/converse")


def error(status: int, kind: str, message: str) -> Answer:
    """Return an error of the AWS JSON protocol: the kind is in a header, the body has only a message.

    https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
    """
    return Answer.json(status, {"message": message}, {"x-amzn-ErrorType": kind, "x-amzn-RequestId": "sandbox"})


def answer(received: Received, path: str) -> Answer:
    """Answer a request whose path within this host is `path`."""
    found = _REGION.fullmatch(path)
    region, path = (found[1], found[2]) if found else ("", path)
    converse = _CONVERSE.fullmatch(path)
    if path == "/foundation-models" and received.method == "GET":
        return _refused(received, region, "bedrock:ListFoundationModels") or _list(region or HOME_REGION)
    if converse and received.method == "POST":
        return _refused(received, region, "bedrock:InvokeModel") or _converse(received, decoded(converse[1]))
    return error(404, "UnknownOperationException", "The requested operation is not recognized by the service.")


def _refused(received: Received, region: str, action: str) -> Answer | None:
    if received.bearer():
        good = same(received.bearer(), SECRETS.bedrock) and region in {"", HOME_REGION}
        message = "Authentication failed: Please make sure your API Key is valid."
        return None if good else Answer.json(403, {"Message": message}, {"x-amzn-RequestId": "sandbox"})
    if not received.header("Authorization"):
        return error(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    authorization = signature.parse(received.header("Authorization"))
    if authorization is None:
        return error(403, "IncompleteSignatureException", "The Authorization header is not a complete signature.")
    return _signature_refused(received, authorization, region) or _denied(ACCESS_KEYS[authorization.id], action)


def _signature_refused(received: Received, authorization: signature.Authorization, region: str) -> Answer | None:
    key = ACCESS_KEYS.get(authorization.id)
    if key is None or not same(received.header("x-amz-security-token"), key.token):
        return error(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    if key.standing is Standing.EXPIRED:
        return error(403, "ExpiredTokenException", "The security token included in the request is expired")
    problem = _scope_problem(received, authorization, region)
    if not problem and not signature.matches(received, authorization, key.secret):
        problem = (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        )
    return error(403, "InvalidSignatureException", problem) if problem else None


def _scope_problem(received: Received, authorization: signature.Authorization, region: str) -> str:
    if authorization.service != "bedrock":
        return "Credential should be scoped to correct service: 'bedrock'."
    if region and authorization.region != region:
        return "Credential should be scoped to a valid region."
    missing = signature.unsigned_headers(received, authorization)
    if missing:
        return f"'{missing[0]}' must be a 'SignedHeader' in the AWS Authorization."
    return signature.clock_problem(received, authorization, datetime.now(UTC))


def _denied(key: AccessKey, action: str) -> Answer | None:
    if key.standing is not Standing.DENIED:
        return None
    message = (
        f"User: arn:aws:iam::000000000000:user/sandbox is not authorized to perform: {action} because no "
        f"identity-based policy allows the {action} action"
    )
    return error(403, "AccessDeniedException", message)


def _list(region: str) -> Answer:
    models = [
        {
            "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model}",
            "modelId": model,
            "modelName": model.partition(".")[2],
            "providerName": model.partition(".")[0].title(),
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "responseStreamingSupported": True,
            "inferenceTypesSupported": ["ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
        }
        for model in MODELS
    ]
    return Answer.json(200, {"modelSummaries": models}, {"x-amzn-RequestId": "sandbox"})


def _converse(received: Received, model: str) -> Answer:
    asked = received.json()
    if asked is None or not isinstance(asked.get("messages"), list):
        return error(400, "ValidationException", "The request has no list of messages.")
    if model not in MODELS:
        return error(400, "ValidationException", "The provided model identifier is invalid.")
    content = {
        "output": {"message": {"role": "assistant", "content": [{"text": SENTENCE}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 9, "outputTokens": 7, "totalTokens": 16},
        "metrics": {"latencyMs": 1},
    }
    return Answer.json(200, content, {"x-amzn-RequestId": "sandbox"})
