"""A client of the REST API: JSON in, JSON out, as a person (login token) or with any bearer token."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from workspaces import logins
from workspaces.models import User


class Api:
    """Calls under /api. `who` is a person, a bearer token, or None for nobody."""

    def __init__(self, who: User | str | None = None) -> None:
        self.token = logins.start(who).access if isinstance(who, User) else who
        self.client = Client(raise_request_exception=False)

    def __call__(self, method: str, path: str, body: Any = ..., **headers: str) -> HttpResponse:
        """Send one request. `body` is any JSON value, text or bytes as they are, or left out for none."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        kind = sent.pop("Content-Type", "" if body is ... else "application/json")
        data = b"" if body is ... else body if isinstance(body, str | bytes) else json.dumps(body)
        return self.client.generic(method, f"/api{path}", data, content_type=kind, headers=sent)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = ..., **headers: str) -> HttpResponse:
        return self("POST", path, body, **headers)

    def put(self, path: str, body: Any = ..., **headers: str) -> HttpResponse:
        return self("PUT", path, body, **headers)

    def delete(self, path: str, body: Any = ..., **headers: str) -> HttpResponse:
        return self("DELETE", path, body, **headers)
