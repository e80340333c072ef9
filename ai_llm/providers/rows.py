"""The five AI LLM Types as rows of facts."""

from ai_llm.models import Type
from ai_llm.providers import bedrock, claude, gemini, openai_form, recipes, vertex
from ai_llm.providers.facts import Provider

OPENAI = Provider(
    type=Type.OPENAI,
    label="OpenAI",
    summary="OpenAI itself, Azure OpenAI, and hosts with an OpenAI-compatible API.",
    default_endpoint="https://api.openai.com/v1",
    key_name="not used",
    secret_name="secret key",  # noqa: S106 - the provider's name for it
    key_help="Leave this empty: OpenAI needs only the API Secret.",
    secret_help="The secret key from your OpenAI project. It begins with sk- and is shown there only once.",  # noqa: S106
    needs_secret=True,
    uses_key=False,
    make_key_url="https://platform.openai.com/api-keys",
    documentation_url="https://platform.openai.com/docs/api-reference/authentication",
    sources=(
        "https://platform.openai.com/docs/api-reference/models/list",
        "https://platform.openai.com/docs/guides/error-codes",
    ),
    address=openai_form.address,
    describe=openai_form.describe_without_key,
    judge=openai_form.judge,
    recipe=recipes.pick,
    origins=openai_form.origins,
    owners=("OpenAI",),
    billing_url="https://platform.openai.com/settings/organization/billing",
    status_url="https://status.openai.com",
    placeholder="https://api.openai.com/v1",
)

GOOGLE = Provider(
    type=Type.GOOGLE,
    label="Google Cloud",
    summary="Gemini with an API key from Google AI Studio, or Vertex AI with a service account.",
    default_endpoint="https://generativelanguage.googleapis.com/v1beta",
    key_name="not used",
    secret_name="Gemini API key, or service account",  # noqa: S106
    key_help="Leave this empty: Gemini needs only the API Secret.",
    secret_help="The API key from Google AI Studio (AQ. or AIza). For Vertex AI: the whole JSON key file.",  # noqa: S106
    needs_secret=True,
    uses_key=False,
    make_key_url="https://aistudio.google.com/apikey",
    documentation_url="https://ai.google.dev/gemini-api/docs/api-key",
    sources=(
        "https://ai.google.dev/api/models#method:-models.list",
        "https://ai.google.dev/gemini-api/docs/troubleshooting",
        "https://developers.google.com/identity/protocols/oauth2/service-account",
    ),
    address=gemini.address,
    describe=gemini.describe,
    judge=gemini.judge,
    recipe=gemini.recipe,
    origins=vertex.origins,
    exchange=gemini.exchange,
    owners=("Google",),
    billing_url="https://aistudio.google.com/billing",
    status_url="https://aistudio.google.com/status",
    placeholder="https://generativelanguage.googleapis.com/v1beta",
)

ANTHROPIC = Provider(
    type=Type.ANTHROPIC,
    label="Anthropic Cloud",
    summary="Claude models straight from Anthropic.",
    default_endpoint="https://api.anthropic.com",
    key_name="not used",
    secret_name="API key",  # noqa: S106
    key_help="Leave this empty: Anthropic needs only the API Secret.",
    secret_help="The API key from the Anthropic console. It begins with sk-ant-api and is shown there only once.",  # noqa: S106
    needs_secret=True,
    uses_key=False,
    make_key_url="https://console.anthropic.com/settings/keys",
    documentation_url="https://docs.claude.com/en/api/overview",
    sources=("https://docs.claude.com/en/api/models-list", "https://docs.claude.com/en/api/errors"),
    address=claude.address,
    describe=claude.describe,
    judge=claude.judge,
    recipe=claude.recipe,
    owners=("Anthropic",),
    billing_url="https://console.anthropic.com/settings/billing",
    status_url="https://status.claude.com",
    placeholder="https://api.anthropic.com",
)

AWS = Provider(
    type=Type.AWS,
    label="AWS",
    summary="Amazon Bedrock, with an access key pair or a Bedrock API key.",
    default_endpoint="https://bedrock-runtime.us-east-1.amazonaws.com",
    key_name="access key id",
    secret_name="secret access key, or Bedrock API key",  # noqa: S106
    key_help="The access key id (20 characters, begins with AKIA). Leave this empty if you use a Bedrock API key.",
    secret_help="The secret access key (40 characters) that belongs to the id, or a Bedrock API key alone.",  # noqa: S106
    needs_secret=True,
    uses_key=True,
    make_key_url="https://console.aws.amazon.com/bedrock/home#/api-keys",
    documentation_url="https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
    sources=(
        "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html",
        "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html",
        "https://docs.aws.amazon.com/general/latest/gr/bedrock.html",
    ),
    address=bedrock.address,
    describe=bedrock.describe,
    judge=bedrock.judge,
    recipe=bedrock.recipe,
    origins=bedrock.origins,
    owners=("AWS",),
    billing_url="https://console.aws.amazon.com/billing/home",
    status_url="https://health.aws.amazon.com/health/status",
    placeholder="https://bedrock-runtime.us-east-1.amazonaws.com",
)

OTHER = Provider(
    type=Type.OTHER,
    label="Other",
    summary="Your own or any other server with an OpenAI-compatible API: Ollama, vLLM, a gateway.",
    default_endpoint="",
    key_name="second key of a gateway",
    secret_name="API key or token",  # noqa: S106
    key_help="Only if a gateway in front of the server wants a second key: it is sent as the header x-api-key.",
    secret_help="Sent as Authorization: Bearer.",  # noqa: S106
    needs_secret=True,
    uses_key=True,
    make_key_url="",
    documentation_url="https://platform.openai.com/docs/api-reference/models/list",
    sources=("https://platform.openai.com/docs/api-reference/models/list",),
    address=openai_form.address,
    describe=openai_form.describe,
    judge=openai_form.judge,
    recipe=recipes.pick,
    origins=openai_form.origins,
    may_be_keyless=True,
    placeholder="https://llm.example.com/v1",
)
