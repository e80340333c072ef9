"""Servers of one's own. Most run without keys, so the control probe is always needed."""

from ai_llm.providers import addresses
from ai_llm.providers.facts import Recipe

ORDER = 1


def _local(port: int) -> tuple[str, ...]:
    return (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"host.docker.internal:{port}")


def _ollama_list(endpoint: str) -> str:
    """Return Ollama's own list for an endpoint that ends in /api, else the list of its OpenAI form."""
    path = addresses.once(addresses.path_of(endpoint))
    if path.endswith("/api"):
        return addresses.with_path(endpoint, f"{path}/tags")
    return addresses.with_path(endpoint, f"{_with_version(path)}/models")


def _with_version(path: str) -> str:
    return path if addresses.has_version(path) else f"{path}/v1"


RECIPES = (
    Recipe(
        "Ollama",
        "ollama",
        (*_local(11434), ":11434"),
        (
            "https://docs.ollama.com/api/openai-compatibility",
            "https://docs.ollama.com/api/authentication",
            "https://docs.ollama.com/api/tags",
        ),
        about="Models on a machine of your own. It asks for no key.",
        note="Ollama itself asks for no key; a proxy in front may.",
        preset="http://localhost:11434/v1",
        listing=_ollama_list,
        checks_keys=False,
        keyless=True,
    ),
    Recipe(
        "LM Studio",
        "lm-studio",
        (*_local(1234), ":1234"),
        ("https://lmstudio.ai/docs/developer/core/authentication",),
        about="Models on a desktop computer. It asks for a token only when that is switched on.",
        note="LM Studio asks for a token only when that is switched on in its server settings.",
        preset="http://localhost:1234/v1",
        checks_keys=False,
        keyless=True,
    ),
    Recipe(
        "vLLM",
        "vllm",
        _local(8000),
        ("https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",),
        about="Models on a GPU server of your own. It asks for a key when started with --api-key.",
        note="vLLM checks keys only when it was started with --api-key.",
        preset="http://localhost:8000/v1",
        checks_keys=False,
        keyless=True,
    ),
    Recipe(
        "llama.cpp",
        "llama-cpp",
        _local(8080),
        ("https://github.com/ggml-org/llama.cpp/tree/master/tools/server",),
        about="The small server of llama.cpp. Its list of models is public even with a key.",
        note="llama.cpp lists its models to everybody, even when it was started with --api-key.",
        preset="http://localhost:8080/v1",
        checks_keys=False,
        keyless=True,
    ),
)
