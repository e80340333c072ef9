"""The house rules that a machine can hold: who imports whom, how long things are, what they may be called."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("flashback", "workspaces", "ai_llm", "repositories")
FILES = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts]
COMPOSES = {ROOT / "flashback" / name for name in ("settings.py", "urls.py", "asgi.py", "api.py")}
MAY_IMPORT = {
    "flashback": {"flashback"},
    "workspaces": {"flashback", "workspaces"},
    "ai_llm": {"flashback", "workspaces", "ai_llm"},
    "repositories": set(APPS),
}
# Lower may not import higher.
LEVELS = {
    "models": 0, "providers": 0, "access": 0, "events": 1, "credentials": 1, "expiry": 1, "history": 2, "rows": 2,
    "inputs": 2, "provider_keys": 2, "connecting": 2,
    "configs": 2, "validation": 2, "rotation": 2, "lifecycle": 2, "message": 2, "trials": 2, "schedule": 2, "alerts": 2,
    "reminders": 2, "diagnostics": 2, "audit": 2, "organizations": 2, "spaces": 2, "members": 2, "listing": 2,
    "summary": 3,
    "repos": 2, "attachments": 2, "keys": 2, "reachable": 2, "attachment_views": 4, "key_views": 4,
    "invitation_models": 0, "people": 2, "invitations": 2, "people_views": 4, "accept_views": 4, "people_urls": 5,
    "forms": 3, "rotation_forms": 3, "message_form": 3, "edit_forms": 3, "views": 4, "space_views": 4,
    "rotation_views": 4, "edit_views": 4, "lifecycle_views": 4, "selected": 4, "message_views": 4, "audit_views": 4,
    "second_factor": 2, "second_factor_forms": 3, "second_factor_views": 4, "reauthentication": 3,
    "wizard": 4, "provider_key_views": 4, "provider_key_forms": 3, "bulk": 4, "admin": 4, "commands": 4, "urls": 5,
}  # fmt: skip


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def size(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    app = path.relative_to(ROOT).parts[0]
    if path in COMPOSES:
        return
    ours = {name.split(".")[0] for name in imported(path)} & set(APPS)
    assert ours <= MAY_IMPORT[app], f"{path} imports {ours - MAY_IMPORT[app]}"


def level(dotted: str) -> int | None:
    return next((LEVELS[part] for part in dotted.split(".")[1:] if part in LEVELS), None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_layers_are_only_used_from_above(path: Path) -> None:
    own = level(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own is None:
        return
    above = [name for name in imported(path) if name.split(".")[0] in APPS and (level(name) or 0) > own]
    assert above == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_keep_their_budget(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
    assert {f.name: size(f) for f in functions(path) if size(f) > 60} == {}


def test_the_median_function_is_short() -> None:
    sizes = sorted(size(function) for path in FILES for function in functions(path))
    assert sizes[len(sizes) // 2] <= 8


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_templates_keep_their_budget_and_carry_no_script_or_style(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 120
    assert "style=" not in text
    assert " onclick" not in text
    assert "javascript:" not in text


def test_no_drawer_for_anything() -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "mixins.py"}
    assert [path for path in FILES if path.name in drawers] == []


def test_only_the_guard_imports_requests() -> None:
    users = {
        path.relative_to(ROOT).as_posix() for path in FILES for n in imported(path) if n.split(".")[0] == "requests"
    }
    assert users == {"flashback/outbound.py"}
