"""Details of security events: codes with parameters, which each reader gets in a language."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from importer.adapters.store.former_details import former_detail
from importer.bootstrap import standalone
from importer.cli.command_table import console
from importer.cli.exit_codes import stdout
from importer.codes.code_table import ROWS
from importer.domain.audit_event import AuditAction, AuditActor, AuditEvent, AuditOutcome
from importer.domain.model import Account
from importer.domain.people.identities import person_of
from importer.i18n.audit_texts import detail_text, event_json
from importer.i18n.translations import LANGUAGES, texts
from importer.service.access.audit import record_event
from importer.service.deps import Deps
from importer.settings import Settings
from importer.web.audit_middleware import AuditNote, note_login
from providers.endpoint import Endpoint
from providers.errors import GrantExpired, HostForbidden, Side
from providers.text import Text
from tests.unit.operator_office import OPERATOR, OperatorOffice
from tests.unit.web_office import HOST

ROOT = Path(__file__).parents[2]
HOST_NAME = "imap.old.example"
REJECTED = Text("login_rejected.wrong_password", host=HOST_NAME)
SAMPLES = (
    Text("audit_words", words="The mail server moves."),
    Text("audit_foreground"),
    Text("audit_rate_limit"),
    Text("audit_limited"),
    Text("audit_repeated", number=264),
    Text("audit_repeated.detail", number=1264, detail=REJECTED),
    Text("audit_scope_missing", scope="write"),
    Text("audit_csrf_token"),
    Text("audit_other_site"),
    Text("audit_other_site.named", site="https://evil.example"),
    Text("audit_openid"),
    Text("audit_no_operator"),
    Text("audit_loaded_again"),
    Text("audit_sign_in_gone"),
    Text("audit_sessions", number=2),
    Text("audit_rows", number=1264),
    Text("audit_values", number=0),
    Text("audit_token", name="panel"),
    Text("audit_token.scopes", name="panel", scopes="read, write"),
    # of the API's problems, errors and changed imports
    Text("api.token_missing"),
    Text("api.token_refused"),
    Text("control_pauses"),
    Text("host_forbidden", host=HOST_NAME),
    REJECTED,
)
RECORDERS = {"record_event", "record_import_event", "record_operator"}


def an_event(detail: Text | None) -> AuditEvent:
    return AuditEvent(
        datetime(2026, 3, 1, tzinfo=UTC),
        AuditAction.SIGN_IN,
        AuditOutcome.REFUSED,
        AuditActor(""),
        detail=detail,
    )


def record_samples(deps: Deps) -> None:
    """An event with each detail, about the operator."""
    person, actor = person_of(Account(OPERATOR, OPERATOR, HOST)), AuditActor("operator:root")
    for detail in SAMPLES:
        record_event(
            deps, AuditAction.MAILBOX_OPEN, AuditOutcome.FAILED, actor, concerns=person, detail=detail
        )


def details(module: ast.Module) -> Iterator[ast.expr]:
    """What a module records as the detail of an event, or writes into the note of a request."""
    for node in ast.walk(module):
        match node:
            case ast.Call(ast.Name(name), _, keywords) if name in RECORDERS:
                yield from (keyword.value for keyword in keywords if keyword.arg == "detail")
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                pairs = zip(targets, values, strict=True)
                yield from (value for target, value in pairs if is_note(target))
            case ast.Assign([target], value) if is_note(target) or ast.unparse(target) == "detail":
                yield value


def is_note(target: ast.expr) -> bool:
    return ast.unparse(target).endswith(("note.detail", "audit.detail"))


def recorded() -> Iterator[tuple[str, ast.expr]]:
    for path in sorted((ROOT / "importer").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "record_" in source or "audit" in source:
            module = ast.parse(source)
            yield from ((f"{path.relative_to(ROOT)}:{found.lineno}", found) for found in details(module))


def is_text(value: ast.expr) -> bool:
    """A text that is made here, None, or one that comes from elsewhere by the name of a text."""
    match value:
        case ast.Call(ast.Name("Text" | "repeated_detail" | "sided_detail" | "_came_from")):
            return True
        case ast.Constant(None):
            return True
        case ast.IfExp(_, yes, no):
            return is_text(yes) and is_text(no)
        case ast.Name("detail") | ast.Attribute(_, "text" | "detail"):
            return True
    return False


def test_every_detail_that_is_recorded_is_a_text() -> None:
    found = dict(recorded())
    assert len(found) > 20
    assert {place: ast.unparse(value) for place, value in found.items() if not is_text(value)} == {}


@pytest.mark.parametrize(
    "source",
    [
        'record_event(deps, action, detail="in words")',
        'record_operator(deps, action, [], detail=f"{name}: words")',
        'note.action, note.detail = action, "no token"',
        "visitor.audit.detail = error.code",
        "detail = f'{number} rows'",
    ],
)
def test_a_free_string_is_told_from_a_text(source: str) -> None:
    [value] = details(ast.parse(source))
    assert not is_text(value)


def test_every_code_of_a_detail_has_a_sample() -> None:
    codes = {code for code in ROWS if code.startswith("audit_")}
    made = {
        str(node.args[0].value)
        for _, value in recorded()
        for node in ast.walk(value)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Text"
        if isinstance(node.args[0], ast.Constant)
    }
    assert codes | made <= {text.code for text in SAMPLES}


@pytest.mark.parametrize("detail", SAMPLES, ids=lambda detail: detail.code)
def test_a_detail_reads_in_every_language(detail: Text) -> None:
    shown = {language: detail_text(texts(language), an_event(detail)) for language in LANGUAGES}
    assert not [text for text in shown.values() if set("%…") & set(text) or detail.code in text]
    if detail.code != "audit_words":  # Italian has the quotation marks of English
        assert shown.pop("en") not in shown.values()


def test_a_login_that_failed_names_the_side_of_the_mailbox() -> None:
    for side, shown in (
        (Side.SOURCE, "The permission to read this mailbox has expired."),
        (Side.DESTINATION, "The permission to add mail to this mailbox has expired."),
    ):
        note = AuditNote()
        note_login(note, Account("ada", "ada", HOST), GrantExpired(side=side))
        spoken = event_json(texts("en"), an_event(note.detail))["detail"]
        assert spoken == {"code": "grant_expired", "params": {"side": side.value}, "text": shown}
        assert note.failed


def test_a_server_that_is_not_permitted_is_named_with_the_reason() -> None:
    note, forbidden = AuditNote(), Text("host_forbidden", host=HOST_NAME)
    note_login(note, Account("ada", "ada", Endpoint(HOST_NAME)), HostForbidden(forbidden, side=Side.SOURCE))
    assert (note.action, note.targets, note.failed) == (AuditAction.HOST_REFUSE, [HOST_NAME], False)
    assert note.detail == Text("host_forbidden", host=HOST_NAME, side="source")


@pytest.mark.parametrize(
    "detail",
    [Text("grant_expired"), Text("grant_expired", side="left"), Text("grant_expired", side=3)],
    ids=str,
)
def test_a_detail_without_a_known_side_is_read(detail: Text) -> None:
    """As earlier versions stored it, or a later one."""
    assert detail_text(texts("en"), an_event(detail)) == "The permission to read this mailbox has expired."


def test_the_json_of_an_event_has_code_parameters_and_text() -> None:
    words = texts("de")
    assert event_json(words, an_event(None))["detail"] is None
    assert event_json(words, an_event(Text("audit_repeated", number=1264)))["detail"] == {
        "code": "audit_repeated",
        "params": {"number": 1264},
        "text": detail_text(words, an_event(Text("audit_repeated", number=1264))),
    }


@pytest.mark.parametrize(
    ("action", "stored", "expected"),
    [
        ("sign-in", "", None),
        ("sign-in", "OpenID Connect", Text("audit_openid")),
        ("sign-in", "login_rejected", Text("login_rejected", host=HOST_NAME)),
        ("sign-in", "no_such_code", Text("audit_words", words="no_such_code")),
        ("host.refuse", "host_forbidden (host=a.example)", Text("host_forbidden", host="a.example")),
        ("limit.hit", "Further refusals of this network are not recorded for up to an hour.", SAMPLES[3]),
        ("import.pause", "264 within an hour, not all recorded.", Text("audit_repeated", number=264)),
        (
            "sign-in",
            "264 within an hour, not all recorded. OpenID Connect",
            Text("audit_repeated.detail", number=264, detail=Text("audit_openid")),
        ),
        ("form.refuse", "from another site", Text("audit_other_site")),
        ("form.refuse", "from https://evil.example", SAMPLES[9]),
        ("token.use", "lacks the scope write", SAMPLES[6]),
        ("sessions.end", "2 ended", SAMPLES[14]),
        ("data.erase", "17 rows", Text("audit_rows", number=17)),
        ("keys.rotate", "0 values", SAMPLES[16]),
        ("token.create", "panel: read, write", SAMPLES[18]),
        ("token.revoke", "panel", SAMPLES[17]),
        ("maintenance", "rate limit", Text("audit_words", words="rate limit")),
        ("maintenance", "done", Text("audit_words", words="done")),
        ("import.pause", "done", None),
        ("import.pause", "soon", Text("control_pauses")),
        ("import.cancel", "too late", Text("control_ended")),
        ("import.resume", "not possible", Text("api.not_possible")),
        ("token.create", "erased:0123456789abcdef", Text("audit_words", words="erased:0123456789abcdef")),
    ],
)
def test_what_an_earlier_version_stored_has_a_code(action: str, stored: str, expected: Text | None) -> None:
    assert former_detail(AuditAction(action), f"ada@old.example {HOST_NAME}", stored) == expected


def test_a_code_without_its_host_is_quoted() -> None:
    assert former_detail(AuditAction.SIGN_IN, "", "login_rejected") == Text(
        "audit_words", words="login_rejected"
    )


@pytest.fixture
def trail(tmp_path: Path) -> list[str]:
    """The arguments of a console command, after an event of each detail."""
    with standalone(Settings.load(data=tmp_path)) as deps:
        record_samples(deps)
    return ["audit", "--data", str(tmp_path)]


def flattened(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_console_shows_details_in_its_language_at_80_columns(
    trail: list[str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILHAUL_LANGUAGE", language)
    monkeypatch.setattr(stdout, "width", 80)
    shown = CliRunner().invoke(console, trail).output
    assert [line for line in shown.splitlines() if len(line.rstrip()) > 80] == []
    flat = flattened(shown)
    texts_shown = [detail_text(texts(language), an_event(detail)) for detail in SAMPLES]
    assert [text for text in texts_shown if flattened(text) not in flat] == []
    assert all(line.startswith("    ") for line in shown.splitlines() if not line.startswith("20"))


def test_the_json_of_the_console_has_the_text_in_its_language(
    trail: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILHAUL_LANGUAGE", "fr")
    [newest, *_] = json.loads(CliRunner().invoke(console, [*trail, "--json", "--limit", "1"]).output)
    words = texts("fr")
    assert newest["detail"] == event_json(words, an_event(REJECTED))["detail"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_pages_show_details_in_the_language_of_the_reader(tmp_path: Path, language: str) -> None:
    office = OperatorOffice(tmp_path)
    operator = office.signed_in(OPERATOR)
    record_samples(office.deps)
    operator.post("/language", language=language)
    shown = [detail_text(texts(language), an_event(detail)) for detail in SAMPLES]
    for path in ("/activity", "/operator/audit"):
        page = unescape(operator.get(path).text)
        assert [text for text in shown if text not in page] == [], path
