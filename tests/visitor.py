"""A browser without scripts, over a real socket: it keeps cookies, sends forms, and shows every answer as it came."""

import http.client
import re
import socket
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True)
class Answer:
    """One answer. Header names are looked up without regard to case; several lines of one name are joined."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def value(self, name: str) -> str:
        """The value of the input `name`."""
        found = re.search(rf'name="{name}"[^>]*?value="([^"]*)"', self.text)
        assert found, f"there is no input {name} with a value"
        return unescape(found[1])


@dataclass
class Visitor:
    """One browser that talks to a port of this machine. `https` says so as a trusted proxy in front would."""

    port: int
    host: str = "127.0.0.1"
    https: bool = False
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    token: str = ""

    @property
    def origin(self) -> str:
        return f"https://{self.host}" if self.https else f"http://{self.host}:{self.port}"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            link.request(method, path, body or None, self._headers(headers))
            return self._take(link.getresponse())
        finally:
            link.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Answer:
        """Send a form with the token of the last page that had one, from that page."""
        body = urlencode({"csrfmiddlewaretoken": self.token, **(fields or {})}).encode()
        return self.ask(
            "POST",
            path,
            body,
            **{"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin, **headers},
        )

    def sign_in(self, email: str, password: str, **headers: str) -> Answer:
        self.get("/account/login", **headers)
        return self.post("/account/login", {"login": email, "password": password}, **headers)

    def raw(self, request: bytes) -> Answer:
        """Send these bytes as they are, and read until the connection closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as link:
            link.sendall(request)
            answer = http.client.HTTPResponse(link)
            answer.begin()
            return self._take(answer)

    def _headers(self, given: dict[str, str]) -> dict[str, str]:
        headers = {"Host": f"{self.host}" if self.https else f"{self.host}:{self.port}", **given}
        if self.https:
            headers.setdefault("X-Forwarded-Proto", "https")
        if self.cookies:
            headers.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        return {name: value for name, value in headers.items() if value is not None}

    def _take(self, answer: http.client.HTTPResponse) -> Answer:
        body = answer.read()
        lines = answer.getheaders()
        self.set_cookies = [value for name, value in lines if name.lower() == "set-cookie"]
        for line in self.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        headers: dict[str, str] = {}
        for name, value in lines:
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
        found = TOKEN.search(body.decode("utf-8", "replace"))
        self.token = found[1] if found else self.token
        return Answer(answer.status, headers, body)
