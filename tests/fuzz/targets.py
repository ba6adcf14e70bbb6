"""The readers under test: each takes bytes and raises AssertionError, or anything undocumented, on a defect.

A target catches exactly the exceptions that the docstring of its reader names. What a reader returns for
people to see must be printable.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import ValidationError
from starlette.requests import cookie_parser
from starlette.testclient import TestClient

from importer import telemetry
from importer.adapters.imap.list_responses import (
    as_folders,
    guess_hierarchy,
    read_list,
    read_namespaces,
    without_listed_children,
)
from importer.adapters.imap.response_reader import ResponseReader
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire_events import LiteralData, WireEvent
from importer.adapters.imap.wire_values import WireError, parse_values
from importer.adapters.mail.addresses import mailbox
from importer.adapters.mail.compose import TemplateComposer
from importer.adapters.mail.mime_message import Envelope, wire_message
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.csv_import.corrections import corrected, passwords_from
from importer.domain.csv_import.csv_files import annotate
from importer.domain.csv_import.csv_reader import read
from importer.domain.csv_import.import_rows import split
from importer.domain.csv_import.row_parser import parse, parse_cells
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.people.api_tokens import TokenScope
from importer.domain.people.mail_recipients import MailReader
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from importer.domain.reporting.formatting import printable, unlinked
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.discovery_texts import discovery_json
from importer.i18n.report_csv import refusals_csv
from importer.i18n.row_problem_texts import row_problem_text
from importer.i18n.translations import texts
from importer.service.access import openid_sign_in, owner_consent
from importer.service.access.api_clients import issue_token
from importer.service.access.login_attempts import known_browser, remember_browser
from importer.service.access.web_sessions import find_session
from importer.web.api.request_schemas import BatchIn, DetectIn, ImportIn, PasswordsIn, UndoIn
from providers.autoconfig import AutoconfigUnusable
from providers.autoconfig import parse as parse_autoconfig
from providers.catalog import Catalog, CatalogError
from providers.discovery import ascii_domain, discover
from providers.endpoint import Endpoint, PasswordInServer, Secret, parse_server, server_url
from providers.errors import LoginRejected, ServerUnavailable
from providers.mailbox_access import Question
from providers.oauth_http import OAuthHttp
from providers.openid_connect import OpenId, Registration
from providers.text import Text
from tests.lookups import UsualNames
from tests.recorded import Recorded
from tests.unit.web_office import WebOffice

CORPUS: Final = Path(__file__).with_name("corpus")
NOW: Final = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
LOOKUPS: Final = UsualNames()
ADDRESS: Final = "ada@old.example"
ENGLISH: Final = texts("en")
_LINE_BYTES, _LITERAL_BYTES = 10_000, 1000


@dataclass(frozen=True)
class Target:
    """`share` is how many of 1,000 inputs of a run this target gets; `tokens` mean something to it."""

    name: str
    run: Callable[[bytes], None]
    share: int
    tokens: tuple[bytes, ...] = ()

    def seeds(self) -> list[bytes]:
        """The files of its corpus, in the order of their names."""
        return [file.read_bytes() for file in sorted((CORPUS / self.name).iterdir())]


def shown(text: str) -> None:
    """Assert that people can be shown this text: one line, nothing that steers a terminal, encodable."""
    assert text.isprintable() or printable(text, len(text) + 1) == text, ascii(text)
    text.encode()


# --- IMAP -----------------------------------------------------------------------------------------


def _events(pieces: Sequence[bytes]) -> tuple[list[WireEvent], bool]:
    """The events of a stream, and whether it ended in a WireError."""
    reader = ResponseReader(max_line_bytes=_LINE_BYTES, max_literal_bytes=_LITERAL_BYTES)
    events: list[WireEvent] = []
    try:
        for piece in (*pieces, b""):
            events += reader.feed(piece)
    except WireError as error:
        shown(str(error))
        return events, True
    assert len(reader._partial) + len(reader._text) <= _LINE_BYTES
    return events, False


def wire(data: bytes) -> None:
    """The same events however the bytes are split, or WireError; nothing beyond the limits is kept."""
    whole = _events([data])
    cut = len(data) * 2 // 5
    assert _events([data[:cut], data[cut : cut + 1], data[cut + 1 :]]) == whole
    for event in whole[0]:
        if isinstance(event, LiteralData):
            try:
                event.values()
            except WireError as error:
                shown(str(error))


def values(data: bytes) -> None:
    try:
        parse_values(data, tuple([b"x"] * data.count(b"}\r\n")))
    except WireError as error:
        shown(str(error))


def folders(data: bytes) -> None:
    """Every line is a folder or unreadable; a name leads back to the bytes that the server sent."""
    names = FolderNames()
    events, _ = _events([data])
    lines = read_list(events, names)
    for listed in lines.listed:
        assert names.decode(names.encode(listed.name)) == listed.name
    assert len({names.encode(listed.name) for listed in lines.listed}) == len(lines.listed)
    namespaces = read_namespaces(events, names)
    as_folders(lines.listed, namespaces, frozenset())
    without_listed_children(lines.listed)
    guess_hierarchy(lines.listed)


# --- Files, rows and servers ----------------------------------------------------------------------


def _problems_shown(problems: Sequence[Any]) -> None:
    for problem in problems:
        for text in (problem.column, row_problem_text(texts("de"), problem)):
            shown(text)


def csv_file(data: bytes) -> None:
    """Problems or as many rows as the file has; good rows have no problem; the annotated file has the same
    rows, and gets its passwords back."""
    for max_rows in (25, None):
        parsed = parse(data, catalog=LOOKUPS, destination=Endpoint("imap.new.example"), max_rows=max_rows)
        LOOKUPS.expected.clear()
        assert parsed.problems or len(parsed.rows) == parsed.row_count
        assert sum(len(batch) for batch in split(parsed.rows)) == len(parsed.rows)
        _problems_shown((*parsed.problems, *parsed.notes))
        assert not {row.line for row in parsed.good_rows} & {problem.line for problem in parsed.problems}
    marked = annotate(parsed, partial(row_problem_text, texts("de")), "Problem").encode("utf-8")
    again = read(marked, max_bytes=2**21)
    if parsed.sheet.columns and not parsed.sheet.problems:
        assert [r.line for r in again.records] == [r.line for r in parsed.sheet.records]
    corrected(again, passwords_from(parsed.sheet, again))


def server(data: bytes) -> None:
    """What is a server has a URL that means the same server."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        endpoint, user = parse_server(text)
    except PasswordInServer:
        return
    except ValueError:
        return
    if user is not None:
        assert parse_server(server_url(endpoint, user)) == (endpoint, user)


# --- Catalog, autoconfig, discovery ---------------------------------------------------------------


def catalog(data: bytes) -> None:
    with contextlib.suppress(CatalogError):
        Catalog.parse(data.decode("utf-8", "replace"))


def autoconfig(data: bytes) -> None:
    try:
        config = parse_autoconfig(data, ADDRESS)
    except AutoconfigUnusable:
        return
    assert 0 < config.endpoint.port < 65_536
    shown(config.name)
    for step in config.steps:
        shown(step.texts.en)
        shown(step.page)


def discovery(data: bytes) -> None:
    """`data` is an address, then a line each: MX, SRV, and the autoconfig file. Nothing is raised."""
    address, *lines = data.split(b"\n", 3)
    texts = [line.decode("latin-1") for line in (*lines, b"", b"", b"")[:2]]
    page = lines[2] if len(lines) == 3 else b""
    text = address.decode("utf-8", "replace")
    domain = ascii_domain(text.rpartition("@")[2]) or "old.example"
    host, _, port = texts[1].partition(" ")
    answers = Recorded(
        mx={domain: texts[0].split(" ")},
        srv={f"_imaps._tcp.{domain}": [(host, int(port) if port.isdecimal() and len(port) < 9 else 993)]},
        pages={f"https://autoconfig.{domain}/mail/config-v1.1.xml": page} if page else {},
    )
    found = discover(text, catalog=LOOKUPS.catalog, resolver=answers, web=answers, prober=answers)
    json.dumps(discovery_json(ENGLISH, found, text))
    bulk = answers.directory()
    bulk.expect([text, text.upper()])
    bulk.for_address(text)
    bulk.why_unknown(text)


# --- The API --------------------------------------------------------------------------------------


def api_body(data: bytes) -> None:
    """A body is refused as a whole, or its rows have rows or problems for each."""
    for model in (DetectIn, PasswordsIn, UndoIn):
        with contextlib.suppress(ValidationError):
            model.model_validate_json(data)
    for kind in (ImportIn, BatchIn):
        try:
            body = kind.model_validate_json(data)
        except ValidationError:
            continue
        rows = body.rows if isinstance(body, BatchIn) else [body]
        parsed = parse_cells(
            [row.cells() for row in rows], catalog=LOOKUPS, destination=Endpoint("imap.new.example")
        )
        assert parsed.problems or len(parsed.rows) == len(rows)
        _problems_shown(parsed.problems)


class _Installation:
    """Pages and API in memory, and a client of each; made anew now and then, because tries are limited."""

    def __init__(self) -> None:
        telemetry.configure(stream=io.StringIO())
        self.office = WebOffice(Path(mkdtemp(prefix="fuzz-")))
        self.deps = self.office.deps
        self.app = TestClient(
            self.office.app, base_url=self.office.settings.web_origin, follow_redirects=False
        )
        scopes = (TokenScope.READ, TokenScope.WRITE)
        self.token = issue_token(self.deps, "panel", scopes).secret.reveal()


_installation = cache(_Installation)
_requests = [0]


def api_request(data: bytes) -> None:
    """`data` is a method and a path, a line of headers, then the body. No answer is a server error."""
    _requests[0] += 1
    if _requests[0] % 50 == 0:
        _installation.cache_clear()
    line, _, rest = data.partition(b"\n")
    header, _, body = rest.partition(b"\n")
    method, _, path = line.decode("latin-1").partition(" ")
    url = "/" + "".join(c for c in path if "!" <= c <= "~").lstrip("/")
    known = method if method in ("GET", "POST", "PUT", "DELETE", "HEAD") else "POST"
    it = _installation()
    headers = {b"authorization": f"Bearer {it.token}".encode(), b"content-type": b"application/json"}
    name, colon, value = header.partition(b":")
    if colon and name.strip().isalpha():
        headers[name.strip().lower()] = bytes(b for b in value.strip() if b >= 32 and b != 127)
    headers.pop(b"host", None)
    try:
        request = it.app.build_request(known, url, content=body, headers=list(headers.items()))
    except ValueError:  # no URL
        return
    answer = it.app.send(request)
    assert answer.status_code < 500 or answer.status_code == 503, (answer.status_code, answer.text)


# --- Cookies, tokens and errands ------------------------------------------------------------------


@cache
def _sealed_cookie() -> bytes:
    it = _installation()
    account = Account("ada@new.example", "ada", Endpoint("imap.new.example"))
    return remember_browser(it.deps, "", account).encode()


def cookies(data: bytes) -> None:
    """No cookie that we did not seal opens anything."""
    deps = _installation().deps
    text = data.decode("latin-1")
    account = Account("ada@new.example", "ada", Endpoint("imap.new.example"))
    for value in (text, *cookie_parser(text).values()):
        assert find_session(deps, value) is None
        assert known_browser(deps, value, account) == ""
        try:
            owner_consent.complete(deps, value, {"code": value, "state": value})
            raise AssertionError("an errand was made of nothing")
        except owner_consent.LinkGone:
            pass
        try:
            openid_sign_in._open(deps, value, value.encode("utf-8", "surrogatepass"))
            raise AssertionError("a sign-in was made of nothing")
        except openid_sign_in.QuestionGone:
            pass


# --- OpenID Connect -------------------------------------------------------------------------------

_ISSUER: Final = "https://issuer.example"
_DOCUMENT: Final = {
    "issuer": _ISSUER,
    "authorization_endpoint": f"{_ISSUER}/authorize",
    "token_endpoint": f"{_ISSUER}/token",
    "jwks_uri": f"{_ISSUER}/keys",
    "userinfo_endpoint": f"{_ISSUER}/userinfo",
}
_QUESTION: Final = Question("", "the-state", Secret("verifier"), "the-nonce")


class _Response:
    status_code = 200

    def __init__(self, value: object) -> None:
        self._value = value

    def json(self) -> object:
        return self._value


class _Issuer(OAuthHttp):
    """An issuer that answers what it is told, without a network."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers

    def session(self, application: object = None) -> Any:
        return self

    def get(self, url: str, **_more: object) -> _Response:
        return _Response(self.answers[url.removeprefix(_ISSUER)])

    def fetch_token(self, *_all: object, **_more: object) -> Any:
        return self.answers["/token"]


@cache
def _issuer_key() -> ECKey:
    return ECKey.generate_key("P-256")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("latin-1")


def openid(data: bytes) -> None:
    """`data` is a JSON list: claims that are signed, and answers that replace ours. Nobody but the subject of
    signed and fitting claims signs in."""
    facts = _json(data)
    claims, changed = facts if isinstance(facts, list) and len(facts) == 2 else (facts, {})
    token: object = claims
    if isinstance(claims, dict):
        good = {"iss": _ISSUER, "aud": "us", "nonce": "the-nonce", "sub": "ada", "exp": int(time.time()) + 60}
        try:
            token = jwt.encode({"alg": "ES256"}, good | claims, _issuer_key(), algorithms=["ES256"])
        except Exception:  # the claims are of no use to a real issuer either
            return
    answers: dict[str, object] = {
        "/.well-known/openid-configuration": _DOCUMENT,
        "/keys": {"keys": [_issuer_key().as_dict(private=False)]},
        "/userinfo": {"sub": "ada"},
        "/token": {"id_token": token, "access_token": "x"},
    }
    if isinstance(changed, dict):
        answers |= {name: value for name, value in changed.items() if name in answers}
    people = OpenId(_Issuer(answers), Registration(_ISSUER, "us", Secret("s"), "https://haul.example/back"))
    try:
        person = people.complete_sign_in(_QUESTION, {"state": "the-state", "code": "c"})
    except (LoginRejected, ServerUnavailable) as error:
        shown(str(error))
        return
    assert isinstance(claims, dict)
    assert person.subject == (claims.get("sub") or "ada")
    assert claims.get("email_verified", True) in (True, "true") or claims.get("email") not in person.addresses


# --- Mail -----------------------------------------------------------------------------------------

_COMPOSER: Final = TemplateComposer("Mailhaul <mailhaul@new.example>", b"k" * 32)
_IMPORT: Final = Import(
    ImportId("i1"),
    Account(ADDRESS, ADDRESS, Endpoint("imap.old.example")),
    Account("ada@new.example", "ada", Endpoint("imap.new.example")),
    NOW,
    state=State.STOPPED,
    started_at=NOW,
    finished_at=NOW,
)


def words(data: bytes) -> None:
    """Foreign words are one printable line, cut, and without a link."""
    text = data.decode("utf-8", "surrogatepass") if _is_text(data) else data.decode("latin-1")
    line = unlinked(printable(text))
    shown(line)
    assert "://" not in line
    assert len(printable(text, 60)) <= 60
    try:
        address = mailbox(text)
    except ValueError:
        return
    assert str(address).isprintable()
    assert address.domain.isascii()


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def mail(data: bytes) -> None:
    """A mail about a hostile server is a mail with our headers only, and its CSV holds no formula."""
    text = data.decode("utf-8", "surrogatepass") if _is_text(data) else data.decode("latin-1")
    half = text[: len(text) // 2]
    refusal = Refusal(_IMPORT.id, text, UidValidity(1), Uid(1), Text("not_taken", words=text), half, text)
    import_ = replace(_IMPORT, problem=Problem(Text("host_unknown", host=half), None, text))
    report = Report(import_, (FolderTally(text, half, 1, skipped={SkipReason.read(text): 1}),), (refusal,))
    batch = BatchReport(Batch(BatchId("b1"), NOW, text, "it@new.example"), (report,))
    sender, recipient = mailbox("mailhaul@new.example"), mailbox("ada@new.example")
    for notice in (
        *_COMPOSER.completion(report, [MailReader("ada@new.example")], NOW),
        *_COMPOSER.batch_summary(batch, NOW),
    ):
        shown(notice.subject)
        raw = wire_message(notice, Envelope(sender, recipient), b"k" * 32)
        parsed = message_from_bytes(raw)
        assert len(parsed.keys()) == 10, parsed.keys()
        assert len(parsed.get_payload()) == 2
        assert "<script" not in notice.html
    for line in refusals_csv(texts("en"), [report]).splitlines():
        assert not line.startswith(("=", "+", "@"))


TARGETS: Final = (
    Target(
        "wire",
        wire,
        250,
        (b"* 1 FETCH (", b"BODY[] ", b"{5}\r\n", b"{1001}\r\n", b"NIL", b"* BYE ", b"M1 OK ", b"+ "),
    ),
    Target("values", values, 200, (b"NIL", b"{1}\r\n", b"BODY[", b'\\"', b"~{1}\r\n", b"((((")),
    Target(
        "folders",
        folders,
        120,
        (b"* LIST (", b'"/" ', b"NIL ", b"&AOQ-", b"&", b"INBOX", b"\\Noselect", b"{3}\r\n"),
    ),
    Target(
        "csv_file",
        csv_file,
        30,
        (
            b"source_address",
            b'"',
            b";",
            b"\t",
            b"#",
            b"=1+1",
            b"imaps://",
            b"@",
            b"sep=;",
            b"Alte Adresse",
            b"'+",
        ),
    ),
    Target("server", server, 130, (b"imaps://", b"imap://", b"@", b":993", b"[::1]", b"%40", b"?", b"/")),
    Target("catalog", catalog, 30, (b"[[provider]]\n", b"[text.x]\n", b'"""', b"= 1\n", b"id = ")),
    Target(
        "autoconfig",
        autoconfig,
        80,
        (b"<incomingServer type='imap'>", b"<!DOCTYPE x>", b"&lt;", b"%EMAILDOMAIN%"),
    ),
    Target("discovery", discovery, 2, (b"@", b".", b"xn--", b" 993", b"\n")),
    Target(
        "api_body", api_body, 90, (b'"rows":', b"null", b"[[[[", b'"\\ud800"', b"1e400", b"{}", b'"again":')
    ),
    Target(
        "api_request",
        api_request,
        1,
        (b"/api/v1/", b"imports", b"?limit=", b"%00", b"GET ", b"POST ", b"Idempotency-Key: "),
    ),
    Target("cookies", cookies, 10, (b"visit=", b"known=", b"gAAAAA", b"; ", b"=", b'"')),
    Target(
        "openid", openid, 4, (b'"sub":', b'"email_verified":', b"null", b"[]", b"{}", b'"/keys":', b'"aud":')
    ),
    Target("words", words, 52, (b"https://", b"evil.example/", b"mailto:", b"\xe2\x80\x8d", b".", b"@")),
    Target("mail", mail, 1, (b"<script>", b"{{ 7*7 }}", b"\r\nBcc: ", b"https://", b"=cmd")),
)
"""Shares out of 1,000. The slow ones (whole requests, whole mails) get few, so that a run ends."""
