"""An authorisation server like those of `SIGN_IN_PROVIDERS`: a consent page, tokens, revocation.

It serves the paths of each provider below `/<id>`, over HTTPS with a certificate of the rehearsal authority.
Below `/openid` is an OpenID provider with discovery, keys and UserInfo.
Introspection (RFC 7662) is served without TLS on a separate port, for the rehearsal IMAP server.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from authlib.oauth2.rfc6749 import OAuth2Error

from providers.sign_in_provider import TENANT as TENANT_PLACEHOLDER
from providers.sign_in_provider import SignInProvider
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from tests.rehearsal.authority_rules import JWT_BEARER, Client, Request, Rules
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.ports import HOST, PATIENCE_S, RehearsalError

TENANT = "9f5e1c5a-0000-4000-8000-000000000001"
"""The tenant (directory) of all accounts of the rehearsal, at providers with tenants."""

Trouble = Callable[[Mapping[str, str]], tuple[int, dict[str, str], Any] | None]
"""Maps the form of a token request to an error response: status, headers, body. None: no error."""


@dataclass(frozen=True)
class TokenRequest:
    """One request to a token endpoint. Times are those of `time.monotonic`."""

    grant_type: str
    path: str
    began_at_s: float
    ended_at_s: float


@dataclass(frozen=True)
class _Place:
    """The endpoint at a path, with the path's tenant."""

    role: str
    provider: SignInProvider | None = None
    tenant: str = ""


class Authority:
    """A running server. Its attributes may be changed while it runs."""

    def __init__(self, ca: CertificateAuthority) -> None:
        self.ca_file = ca.ca_file
        self.trouble: Trouble = lambda _form: None
        self.slow_s = 0.0  # delay of each token response
        self.requests: list[TokenRequest] = []
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*ca.issue())
        self._servers = [_Server(self, tls), _Server(self, None)]
        self.url = f"https://localhost:{self._servers[0].server_port}"
        self.introspection_url = f"http://{HOST}:{self._servers[1].server_port}/introspect"
        self.rules = Rules(self.url)
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def at(self, provider_id: str) -> str:
        """The value for MAILHAUL_<ID>_AUTHORITY."""
        return f"{self.url}/{provider_id}"

    @property
    def openid(self) -> str:
        """The value for MAILHAUL_OPENID_ISSUER."""
        return self.at("openid")

    def add_application(self, client_id: str, secret: str, redirect_uri: str) -> None:
        types = ("authorization_code", "refresh_token", "client_credentials")
        self.rules.clients[client_id] = Client(client_id, secret, redirect_uri, types)

    def add_service_account(self, file: Path, *domains: str) -> None:
        """Register a service account for those domains, and write its key file in Google's format."""
        key = self.rules.key  # generating another key is slow
        email = "haul@project.example"
        self.rules.clients[email] = Client(
            email, grant_types=(JWT_BEARER,), key=key, domains=frozenset(domains)
        )
        facts = {
            "type": "service_account",
            "client_email": email,
            "private_key_id": "k1",
            "private_key": key.as_pem(private=True).decode(),
        }
        file.touch(mode=0o600)
        file.write_text(json.dumps(facts), encoding="utf-8")

    def browse(self, url: str, *, account: str = "", answer: str = "allow") -> dict[str, str]:
        """Act as the owner's browser: open and submit the consent page. Returns the redirect's parameters.

        `account` is the account to sign in with; by default it is the suggested one.
        """
        with requests.Session() as browser:
            browser.trust_env = False  # REQUESTS_CA_BUNDLE would take precedence
            browser.verify = str(self.ca_file)
            page = browser.get(url, timeout=PATIENCE_S)
            if page.status_code != 200:
                raise RehearsalError(page.text)
            [hint] = re.findall(r'name="account" value="([^"]*)"', page.text)
            form = {"account": account or hint, "answer": answer}
            sent = browser.post(url, data=form, allow_redirects=False, timeout=PATIENCE_S)
        return dict(parse_qsl(urlsplit(sent.headers["Location"]).query))

    def withdraw(self, mailbox: str) -> None:
        """Revoke every consent of the owner of `mailbox`."""
        with self.rules.lock:
            for family in {t.family for t in self.rules.tokens if t.mailbox == mailbox}:
                self.rules.end(family)

    def count(self, grant_type: str) -> int:
        """The number of token requests with that grant type."""
        return sum(request.grant_type == grant_type for request in self.requests)

    def at_once(self) -> int:
        """The peak number of concurrent token requests."""
        moments = [request.began_at_s for request in self.requests]
        return max((sum(o.began_at_s <= m < o.ended_at_s for o in self.requests) for m in moments), default=0)

    def as_new(self) -> None:
        """Restore the initial configuration. Registered clients and issued tokens remain."""
        self.trouble, self.slow_s = (lambda _form: None), 0.0
        self.rules.life_s, self.rules.rotates = 3600, True
        self.rules.claims, self.rules.signs_with = dict, self.rules.key
        self.rules.published, self.rules.user_info = [self.rules.key], {}
        self.requests.clear()

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    # --- Responses -------------------------------------------------------------------------------

    def answer(
        self, method: str, url: str, form: Mapping[str, str], authorization: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        request = Request(method, self.url + url, dict(parse_qsl(parts.query)), form)
        place = self._place(parts.path)
        request.rules, request.tenant, request.provider = self.rules, TENANT, place.provider
        request.issuer = self.openid
        if place.provider is not None:
            [request.issuer] = place.provider.issuers_at(self.at(place.provider.id), TENANT)
        match place.role:
            case "authorize":
                return self._consent(method, request)
            case "token":
                return self._token(parts.path, place, request)
            case "keys":
                keys = [key.as_dict(private=False) for key in self.rules.published]
                return self._json(200, {"keys": keys}, {})
            case "revoke":
                return self._json(*self.rules.create_endpoint_response("revocation", request))
            case "introspect":
                with self.rules.lock:
                    return self._json(*self.rules.create_endpoint_response("introspection", request))
        return self._openid(place.role, authorization)

    def _openid(self, name: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
        """The endpoints that only the OpenID issuer has."""
        if name == "openid-configuration":
            return self._json(200, self.discovery(), {})
        token = self.rules.by_token(authorization.removeprefix("Bearer ")) if name == "userinfo" else None
        if token is None:
            return 401 if name == "userinfo" else 404, {}, b""
        return self._json(200, {"sub": token.mailbox, **self.rules.user_info}, {})

    def _place(self, path: str) -> _Place:
        """The endpoint at that path: of a provider, of the OpenID issuer, or introspection."""
        for provider in SIGN_IN_PROVIDERS.values():
            endpoints = provider.endpoints_at(f"/{provider.id}", TENANT_PLACEHOLDER)
            for role in ("authorize", "token", "keys", "revoke"):
                pattern = re.escape(getattr(endpoints, role)).replace(
                    re.escape(TENANT_PLACEHOLDER), "([^/]+)"
                )
                match = re.fullmatch(pattern, path) if pattern else None
                if match:
                    return _Place(role, provider, "".join(match.groups()))
        name = path.rpartition("/")[2]
        return _Place({"auth": "authorize", "jwks": "keys"}.get(name, name))

    def discovery(self) -> dict[str, Any]:
        """The discovery document (OpenID Connect Discovery section 3)."""
        return {
            "issuer": self.openid,
            "authorization_endpoint": f"{self.openid}/auth",
            "token_endpoint": f"{self.openid}/token",
            "userinfo_endpoint": f"{self.openid}/userinfo",
            "jwks_uri": f"{self.openid}/jwks",
            "end_session_endpoint": f"{self.openid}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def _consent(self, method: str, request: Request) -> tuple[int, dict[str, str], bytes]:
        try:
            grant = self.rules.get_consent_grant(request)
        except OAuth2Error as error:
            return 400, {"Content-Type": "text/plain"}, f"{error.error}: {error.description}".encode()
        if method == "GET":
            return (
                200,
                {"Content-Type": "text/html; charset=utf-8"},
                _page(request.args.get("login_hint", "")),
            )
        allowed = request.form.get("answer") == "allow"
        with self.rules.lock:
            status, body, headers = self.rules.create_authorization_response(
                request, request.form["account"] if allowed else None, grant
            )
        headers = dict(headers)
        provider = request.provider
        if "Location" in headers and not (provider and provider.issuer_depends_on_account):
            headers["Location"] += "&" + urlencode({"iss": request.issuer})  # RFC 9207
        return self._json(status, body, headers)

    def _token(self, path: str, place: _Place, request: Request) -> tuple[int, dict[str, str], bytes]:
        began = time.monotonic()
        time.sleep(self.slow_s)
        try:
            trouble = self.trouble(request.form)
            if trouble is not None:
                status, headers, body = trouble
                return self._json(status, body, list(headers.items()))
            if place.tenant not in ("", "common", "organizations", TENANT):
                error = {"error": "invalid_request", "error_description": "AADSTS90002: Tenant not found."}
                return self._json(400, error, [])
            with self.rules.lock:
                return self._json(*self.rules.create_token_response(request))
        finally:
            self.requests.append(
                TokenRequest(request.form.get("grant_type", ""), path, began, time.monotonic())
            )

    def _json(self, status: int, body: Any, headers: Any) -> tuple[int, dict[str, str], bytes]:
        text = body if isinstance(body, str) else json.dumps(body) if body else ""
        return status, {"Content-Type": "application/json", **dict(headers)}, text.encode()


def _page(hint: str) -> bytes:
    return f"""<!doctype html><html lang="en"><title>Rehearsal sign-in</title>
<h1>Mailhaul wants to read your mail</h1>
<form method="post">
<label>Account <input name="account" value="{html.escape(hint, quote=True)}"></label>
<button name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Cancel</button>
</form></html>""".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, authority: Authority, tls: ssl.SSLContext | None) -> None:
        self.authority = authority
        self._tls = tls
        super().__init__((HOST, 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Runs in the request's own thread, so that a slow handshake does not block other clients."""
        with contextlib.suppress(OSError):
            secured = self._tls.wrap_socket(request, server_side=True) if self._tls else request
            super().finish_request(secured, client_address)
            if self._tls:
                secured.close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self._answer(dict(parse_qsl(self.rfile.read(size).decode())))

    def _answer(self, form: Mapping[str, str]) -> None:
        status, headers, body = self.server.authority.answer(
            self.command, self.path, form, self.headers.get("Authorization", "")
        )
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Suppress the log: requests are counted, not printed."""


@contextmanager
def authority(ca: CertificateAuthority) -> Iterator[Authority]:
    """Run an authorisation server on localhost."""
    server = Authority(ca)
    try:
        yield server
    finally:
        server.stop()
