"""The API over in-memory ports: authorization, resources, problem details and idempotency."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import structlog
from httpx import Response
from starlette.testclient import TestClient

from importer import telemetry
from importer.domain.model import ImportId, State
from importer.domain.people.api_tokens import ApiToken, TokenScope
from importer.i18n.code_texts import render
from importer.i18n.translations import LANGUAGES, texts
from importer.service.access.api_clients import PREFIX, issue_token
from importer.service.deps import Quotas
from importer.service.legs.run_leg import handle_ring
from importer.web.api import problem_details, undo_resource
from importer.web.api.request_schemas import RowIn
from providers.text import Text
from tests.fakes.mailbox import MemoryMailbox
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.unit.web_office import RIGHT, WebOffice

BOTH = (TokenScope.READ, TokenScope.WRITE)
ROW = {
    "source_address": "ada@old.example",
    "source_password": RIGHT,
    "source_server": "imap.old.example",
    "destination_address": "ada@new.example",
    "destination_password": RIGHT,
}
SECRET = "hunter2-not-to-be-told"


class Panel:
    """An API client with a token."""

    def __init__(self, office: WebOffice, name: str = "panel", *scopes: TokenScope, **more: Any) -> None:
        issued = issue_token(office.deps, name, scopes or BOTH, **more)
        self.token: ApiToken = issued.token
        self.secret = issued.secret.reveal()
        self.headers = {"Authorization": f"Bearer {self.secret}"}
        self.client = TestClient(office.app, base_url=office.settings.web_origin, follow_redirects=False)

    def get(self, path: str, **query: Any) -> Response:
        answer: Response = self.client.get(f"/api/v1{path}", params=query, headers=self.headers)
        return answer

    def post(self, path: str, body: object = None, **headers: str) -> Response:
        answer: Response = self.client.post(f"/api/v1{path}", json=body, headers=self.headers | headers)
        assert SECRET not in answer.text
        return answer

    def start(self, **changes: Any) -> dict[str, Any]:
        """Start one import; return its JSON."""
        answer = self.post("/imports", {**ROW, **changes})
        assert answer.status_code == 201, answer.text
        import_: dict[str, Any] = answer.json()["rows"][0]["import"]
        return import_


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Configure logging as in a process: the default prints tracebacks with all local variables."""
    telemetry.configure(stream=io.StringIO())
    yield
    structlog.reset_defaults()


@pytest.fixture
def panel(office: WebOffice) -> Panel:
    return Panel(office)


def problem(answer: Response, status: int, code: str) -> dict[str, Any]:
    """The problem details of an answer."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, problem_details.MEDIA_TYPE), (
        answer.text
    )
    details: dict[str, Any] = answer.json()
    assert (details["status"], details["code"], details["type"]) == (status, code, f"/api/v1/problems#{code}")
    assert details["title"] == problem_details.title(texts("en"), code)
    return details


def test_lists_and_counts_take_the_same_filter_and_show_the_tokens_own_imports_only(
    office: WebOffice, panel: Panel
) -> None:
    own = panel.start()
    other = Panel(office, "other")
    other.start(source_address="bea@old.example", destination_address="bea@new.example")
    operator = Panel(office, "operator", TokenScope.READ, TokenScope.ADMIN)
    for query, seen_by_owner, seen_by_operator in (
        ({}, 1, 2),
        ({"host": "imap.old.example"}, 1, 2),
        ({"search": "bea@"}, 0, 1),
        ({"owner": "client:other"}, 0, 1),
        ({"domain": "old.example", "state": "queued"}, 1, 2),
        ({"reason": "login_rejected"}, 0, 0),
        ({"created_before": "2000-01-01T00:00:00"}, 0, 0),
        ({"created_after": "2000-01-01T00:00:00+01:00"}, 1, 2),
        ({"batch": own["batch_id"]}, 1, 1),
    ):
        for client, number in ((panel, seen_by_owner), (operator, seen_by_operator)):
            assert len(client.get("/imports", **query).json()["items"]) == number, query
            assert client.get("/import-counts", **query).json()["total"] == number, query
    assert other.get("/imports", batch=own["batch_id"]).json()["items"] == []


def test_a_client_starts_no_more_imports_a_day_than_its_quota(office: WebOffice) -> None:
    object.__setattr__(office.deps, "quotas", Quotas(client_starts=1))
    panel = Panel(office)
    panel.start()
    bea = {**ROW, "source_address": "bea@old.example"}
    refused = panel.post("/imports", bea, **{"Accept-Language": "de"})
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == str(24 * 60 * 60)
    assert "Mehr Importe, als Sie in 24 Stunden starten dürfen: 1." in refused.text
    assert len(office.deps.store.imports()) == 1


def test_running_again_counts_against_the_quota_too(office: WebOffice) -> None:
    object.__setattr__(office.deps, "quotas", Quotas(client_starts=1))
    panel = Panel(office)
    id_ = panel.start()["id"]
    panel.post(f"/imports/{id_}/cancel")
    passwords = {"source_password": RIGHT, "destination_password": RIGHT}
    refused = panel.post(f"/imports/{id_}/run-again", passwords, **{"Accept-Language": "de"})
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == str(24 * 60 * 60)
    assert "Mehr Importe, als Sie in 24 Stunden starten dürfen: 1." in refused.text
    assert len(office.deps.store.imports()) == 1


# --- Languages ---------------------------------------------------------------------------------------


def refusals(office: WebOffice, panel: Panel, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Refusals of the API, requested in that language: (action, its problem)."""
    speaks = {"Accept-Language": language}
    plain = TestClient(office.app, base_url=office.settings.web_origin)
    reader = Panel(office, "reader", TokenScope.READ)
    yield "no token", plain.get("/api/v1/imports", headers=speaks).json()
    yield "no scope", reader.post("/imports", ROW, **speaks).json()
    yield "no import", panel.post("/imports/none/pause", **speaks).json()
    yield "no path", plain.get("/api/v1/nowhere", headers=speaks).json()
    yield "bad key", panel.post("/imports", ROW, **speaks, **{"Idempotency-Key": "x" * 256}).json()
    yield "bad row", panel.post("/imports", {**ROW, "source_address": "ada"}, **speaks).json()
    yield "no field", panel.post("/imports", {"source_address": "ada@old.example"}, **speaks).json()
    yield "more fields", panel.post("/imports", {**ROW, "colour": "red"}, **speaks).json()
    yield "no text", panel.post("/imports", {**ROW, "source_address": 7}, **speaks).json()
    yield "no choice", panel.post("/imports", {**ROW, "labels": "some"}, **speaks).json()
    yield "no date", panel.post("/imports", {**ROW, "since": "yesterday"}, **speaks).json()
    yield "too many rows", panel.post("/batches", {"rows": [ROW] * 26}, **speaks).json()
    import_ = office.deps.store.imports(limit=1)[0]
    yield (
        "too late",
        panel.post(f"/imports/{import_.id}/undo", {"destination_password": RIGHT}, **speaks).json(),
    )


def test_problems_follow_the_language_of_the_request(office: WebOffice, panel: Panel) -> None:
    panel.start()
    told = {
        language: {what: texts_of(problem_) for what, problem_ in refusals(office, panel, language)}
        for language in LANGUAGES
    }
    for what in told["en"]:
        each = [told[language][what] for language in LANGUAGES]
        for said in zip(*each, strict=True):
            assert len(set(said)) == len(LANGUAGES), (what, said)
    control = panel.post(
        f"/imports/{office.deps.store.imports(limit=1)[0].id}/pause", **{"Accept-Language": "de"}
    )
    assert (
        control.json()["message"]
        == "Pausiert. Kopierte Nachrichten bleiben; weiter geht es, wenn Sie den Import fortsetzen."
    )


def texts_of(problem_: dict[str, Any]) -> list[str]:
    """Its sentences; those for the fields and rows are not the general one."""
    fields = [error["message"] for error in (*problem_.get("errors", ()), *problem_.get("problems", ()))]
    assert not {render(Text("api_field"), texts(language)) for language in LANGUAGES} & set(fields)
    return [problem_["title"], *([problem_["detail"]] if "detail" in problem_ else []), *fields]


# --- Tokens -----------------------------------------------------------------------------------------


def test_a_token_is_stored_as_a_digest_and_has_a_recognisable_prefix(office: WebOffice, panel: Panel) -> None:
    assert panel.secret.startswith(PREFIX)
    [stored] = office.deps.store.tokens()
    assert stored.digest == sha256(panel.secret.encode()).hexdigest()
    assert panel.secret not in repr(stored)
    token = panel.get("/token").json()
    assert (token["id"], token["name"], token["scopes"]) == (panel.token.id, "panel", ["read", "write"])


def test_a_call_needs_a_valid_token(office: WebOffice, panel: Panel) -> None:
    client = panel.client
    assert "Bearer" in client.get("/api/v1/imports").headers["www-authenticate"]
    problem(client.get("/api/v1/imports"), 401, "token_missing")
    for credentials in (
        "Basic YTpi",
        "Bearer",
        "Bearer x",
        f"Bearer {panel.secret}x",
        f"Bearer {PREFIX}{'x' * 43}",
    ):
        answer = client.get("/api/v1/imports", headers={"Authorization": credentials})
        assert answer.status_code == 401, credentials
    expired = Panel(office, "old", lifetime=timedelta(seconds=10))
    assert expired.get("/imports").status_code == 200
    office.office.clock.sleep(10)
    problem(expired.get("/imports"), 401, "token_refused")
    assert panel.get("/imports").status_code == 200
    office.deps.store.revoke_token(panel.token.id, office.deps.clock.now())
    problem(panel.get("/imports"), 401, "token_refused")


def test_a_call_needs_its_scope(office: WebOffice) -> None:
    reader, writer = Panel(office, "panel", TokenScope.READ), Panel(office, "panel", TokenScope.WRITE)
    started = writer.start()
    details = problem(reader.post("/imports", ROW), 403, "scope_missing")
    assert "write" in details["detail"]
    assert "insufficient_scope" in reader.post("/imports", ROW).headers["www-authenticate"]
    problem(writer.get("/imports"), 403, "scope_missing")
    assert reader.get(f"/imports/{started['id']}").status_code == 200


def test_calls_are_limited_per_token_and_minute(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, {"api_calls_per_minute": 3})
    panel, other = Panel(office), Panel(office, "other")
    assert [panel.get("/token").status_code for _ in range(3)] == [200] * 3
    problem(panel.get("/token"), 429, "too_many_requests")
    assert panel.get("/token").headers["retry-after"] == "60"
    assert other.get("/token").status_code == 200
    office.office.clock.sleep(61)
    assert panel.get("/token").status_code == 200


# --- Starting -----------------------------------------------------------------------------------------


def test_rows_become_a_batch_and_a_ring_for_each_import(office: WebOffice, panel: Panel) -> None:
    rows = [ROW, {**ROW, "source_address": "grace@old.example", "destination_address": "grace@new.example"}]
    answer = panel.post("/batches", {"name": "tuesday", "rows": rows, "labels": "each"})
    assert answer.status_code == 201
    submission = answer.json()
    batch = submission["batch"]
    assert answer.headers["location"] == f"/api/v1/batches/{batch['id']}"
    assert batch["states"] == {"queued": 2}
    assert [row["fate"] for row in submission["rows"]] == ["started", "started"]
    ids = [row["import"]["id"] for row in submission["rows"]]
    assert [ring[0] for ring in office.office.queue.rings] == ids
    shown = panel.get(f"/batches/{batch['id']}").json()
    assert shown == batch
    first = panel.get(f"/imports/{ids[0]}").json()
    assert (first["state"], first["labels"], first["row"]) == ("queued", "each", 1)
    assert first["source"] == {"address": "ada@old.example", "server": "imaps://imap.old.example"}
    again = panel.post("/batches", {"rows": rows})
    assert (again.status_code, again.json()["batch"]) == (200, None)
    assert [row["fate"] for row in again.json()["rows"]] == ["under way"] * 2


def test_servers_named_by_a_client_are_restricted_to_public_addresses(
    office: WebOffice, panel: Panel
) -> None:
    started = panel.start(destination_server="imap.elsewhere.example")
    import_ = office.deps.store.import_(ImportId(started["id"]))
    assert import_ is not None
    assert import_.source.public_only
    assert import_.destination.public_only
    usual = panel.start(destination_address="grace@new.example")
    import_ = office.deps.store.import_(ImportId(usual["id"]))
    assert import_ is not None
    assert not import_.destination.public_only


def test_all_problems_of_the_rows_are_reported_and_nothing_starts(office: WebOffice, panel: Panel) -> None:
    rows = [{**ROW, "source_address": SECRET}, {**ROW, "destination_password": ""}, ROW, ROW]
    details = problem(panel.post("/batches", {"rows": rows}), 422, "rows_refused")
    places = [(detail["line"], detail["column"], detail["rule"]) for detail in details["problems"]]
    assert places == [
        (1, "source_address", "address_invalid"),
        (2, "destination_password", "password_missing"),
        (3, "source_address", "duplicate_row"),
        (4, "source_address", "duplicate_row"),
    ]
    assert all(detail["message"] and detail["fix"] for detail in details["problems"])
    assert not office.deps.store.imports()


def test_a_csv_file_is_accepted_in_the_format_of_the_console(panel: Panel) -> None:
    head = "source_address,source_password,source_server,destination_address,destination_password\n"
    good = head + "ada@old.example,right,imap.old.example,ada@new.example,right\n"

    def send(text: str, type_: str = "text/csv; charset=utf-8", **query: str) -> Response:
        headers = {**panel.headers, "Content-Type": type_}
        answer: Response = panel.client.post(
            "/api/v1/batches/csv", content=text, headers=headers, params=query
        )
        return answer

    answer = send(good, name="people.csv", submitter="root@new.example")
    assert answer.status_code == 201
    assert answer.json()["batch"]["name"] == "people.csv"
    assert answer.json()["batch"]["submitter"] == "root@new.example"
    assert answer.json()["notes"] == []
    noted = send(good.replace("ada@old", "bob@old").replace("right,imap", "1.2E+10,imap")).json()["notes"]
    assert [(note["line"], note["column"], note["rule"]) for note in noted] == [
        (2, "source_password", "spreadsheet_trace")
    ]
    bad = problem(send(head + f"{SECRET},x,,ada@new.example,{SECRET}\n"), 422, "rows_refused")
    assert (bad["problems"][0]["line"], bad["problems"][0]["column"]) == (2, "source_address")
    assert SECRET not in str(bad)
    problem(send(good, "application/json"), 415, "media_type_refused")
    long = problem(send("x" * 70_000), 422, "rows_refused")
    assert "70,000 bytes" in long["problems"][0]["message"]
    problem(send(head + "x" * 300_000), 413, "body_too_large")
    problem(send(good, submitter="nobody"), 422, "request_invalid")


def test_a_token_bound_to_domains_permits_no_other_destinations(office: WebOffice) -> None:
    bound = Panel(office, "bound", domains={"new.example"})
    assert bound.start()["state"] == "queued"
    for changes in (
        {"destination_address": "ada@other.example"},
        {"destination_address": "ada@sub.new.example"},
        {"destination_server": "imap.elsewhere.example"},
        {"destination_server": "imaps://grace@imap.new.example"},
    ):
        details = problem(bound.post("/imports", {**ROW, **changes}), 422, "rows_refused")
        assert details["problems"][0]["rule"] == "destination_not_allowed", changes
    # Started with another token of the same client, which is not bound to domains.
    id_ = Panel(office, "bound").start(destination_server="imap.elsewhere.example")["id"]
    bound.post(f"/imports/{id_}/cancel")
    for path, more in (("run-again", {"source_password": RIGHT}), ("undo", {})):
        answer = bound.post(f"/imports/{id_}/{path}", {"destination_password": RIGHT, **more})
        assert "at imap.new.example only" in problem(answer, 403, "scope_missing")["detail"], path


def test_a_token_bound_to_domains_names_submitters_of_its_domains_only(office: WebOffice) -> None:
    bound = Panel(office, "bound", domains={"new.example"})
    body = {"rows": [ROW], "submitter": "ceo@third.example"}
    assert problem(bound.post("/batches", body), 403, "scope_missing")
    assert bound.post("/batches", {**body, "submitter": "root@new.example"}).status_code == 201


def test_imports_cannot_be_used_to_guess_passwords(office: WebOffice, panel: Panel) -> None:
    answers = [panel.post("/imports", {**ROW, "source_password": f"guess {n}"}) for n in range(12)]
    assert [answer.status_code for answer in answers] == [201] + [200] * 9 + [429] * 2
    office.browser().sign_in()  # the owner is not locked out
    assert office.browser().sign_in().headers["location"] == "/new"


def test_unknown_fields_are_refused_and_sent_values_are_not_repeated(panel: Panel) -> None:
    for body in (
        {**ROW, "sorce_server": SECRET},
        {**ROW, "destination_password": [SECRET]},
        {"rows": SECRET},
        [SECRET],
        SECRET,
        None,
    ):
        details = problem(panel.post("/imports", body), 422, "request_invalid")
        assert all(error["message"] for error in details["errors"])
    broken = panel.client.post(
        "/api/v1/imports",
        content=f'{{"a": "{SECRET}',
        headers=panel.headers | {"Content-Type": "application/json"},
    )
    assert problem(broken, 422, "request_invalid")
    assert SECRET not in broken.text


# --- Reading --------------------------------------------------------------------------------------------


def test_lists_are_paged(panel: Panel) -> None:
    for number in range(5):
        panel.start(source_address=f"a{number}@old.example")
    all_ids = [item["id"] for item in panel.get("/imports").json()["items"]]
    for path in ("/imports", "/batches"):
        seen: list[str] = []
        after = ""
        while after is not None:
            page = panel.get(path, limit=2, after=after).json()
            items = page["items"]
            seen += [item["id"] if path == "/imports" else item["imports"][0]["id"] for item in items]
            after = page["next"]
        assert seen == all_ids
        assert len(seen) == 5
    problem(panel.get("/imports", after="unknown"), 404, "not_found")
    problem(panel.get("/imports", limit=101), 422, "request_invalid")
    assert panel.get("/imports", state=["paused"]).json()["items"] == []
    assert len(panel.get("/imports", state=["paused", "queued"]).json()["items"]) == 5


def test_an_import_is_followed_to_its_end_and_reported(office: WebOffice, panel: Panel) -> None:
    started = panel.start()
    source = office.doors.mailboxes.setdefault("ada@old.example imap.old.example", office.office.old)
    assert source is office.office.old
    for _ in range(3):
        handle_ring(office.deps, ImportId(started["id"]))
    shown = panel.get(f"/imports/{started['id']}").json()
    assert (shown["state"], shown["progress"]["messages_done"]) == ("complete", 6)
    report = panel.get(f"/imports/{started['id']}/report").json()
    assert (report["totals"]["found"], report["totals"]["copied"]) == (6, 6)
    batch_report = panel.get(f"/batches/{started['batch_id']}/report").json()
    assert batch_report["imports"] == [report]
    for path in (f"/imports/{started['id']}", f"/batches/{started['batch_id']}"):
        answer = panel.get(f"{path}/report.csv")
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.text.startswith("import,source,destination,folder")
    explanation = panel.get(f"/imports/{started['id']}/explanation").json()
    assert explanation["sentence"]
    assert "run again" in explanation["actions"]
    undone = panel.post(f"/imports/{started['id']}/undo", {"destination_password": RIGHT})
    assert (undone.status_code, undone.json()["totals"]["removed"]) == (200, 6)
    assert panel.get(f"/imports/{started['id']}/undo").json() == undone.json()


# --- Controls -------------------------------------------------------------------------------------------


def test_pause_resume_retry_and_cancel(office: WebOffice, panel: Panel) -> None:
    id_ = panel.start()["id"]
    paused = panel.post(f"/imports/{id_}/pause")
    assert (paused.status_code, paused.json()["effect"], paused.json()["import"]["state"]) == (
        200,
        "done",
        "paused",
    )
    assert panel.post(f"/imports/{id_}/resume").json()["import"]["state"] == "queued"
    assert panel.post(f"/imports/{id_}/retry").status_code == 200
    lease = office.deps.store.acquire(f"import:{id_}", "w", timedelta(minutes=1))
    assert lease is not None
    later = panel.post(f"/imports/{id_}/pause")
    assert (later.status_code, later.json()["effect"], later.json()["import"]["wish"]) == (
        202,
        "soon",
        "pause",
    )
    office.deps.store.release(lease)
    assert panel.post(f"/imports/{id_}/cancel").json()["import"]["state"] == "cancelled"
    details = problem(panel.post(f"/imports/{id_}/resume"), 409, "not_possible")
    assert details["state"] == "cancelled"
    problem(panel.post(f"/imports/{id_}/pause"), 409, "not_possible")


def test_labels_and_flags_follow_the_row_or_else_the_batch(office: WebOffice, panel: Panel) -> None:
    rows: list[dict[str, Any]] = [
        {**ROW, "source_address": f"{name}@old.example", "destination_address": f"{name}@new.example"}
        for name in ("ada", "grace")
    ]
    rows[0] |= {"labels": "keywords", "sync_flags": False}
    submission = panel.post("/batches", {"rows": rows, "labels": "each", "sync_flags": True}).json()
    options = [(row["import"]["labels"], row["import"]["sync_flags"]) for row in submission["rows"]]
    assert options == [("keywords", False), ("each", True)]
    id_ = submission["rows"][1]["import"]["id"]
    panel.post(f"/imports/{id_}/cancel")
    passwords = {"source_password": RIGHT, "destination_password": RIGHT}
    again = panel.post(f"/imports/{id_}/run-again", passwords).json()["import"]
    assert (again["labels"], again["sync_flags"]) == ("each", True)
    panel.post(f"/imports/{again['id']}/cancel")
    other = panel.post(f"/imports/{id_}/run-again", {**passwords, "labels": "one", "sync_flags": False})
    assert (other.json()["import"]["labels"], other.json()["import"]["sync_flags"]) == ("one", False)
    wrong = {**ROW, "destination_address": "bob@new.example", "labels": "some"}
    problem(panel.post("/imports", wrong), 422, "request_invalid")


def test_run_again_is_a_new_import_of_the_same_client(office: WebOffice, panel: Panel) -> None:
    id_ = panel.start()["id"]
    passwords = {"source_password": RIGHT, "destination_password": RIGHT}
    same = panel.post(f"/imports/{id_}/run-again", passwords)
    assert (same.status_code, same.json()["fate"]) == (200, "under way")
    panel.post(f"/imports/{id_}/cancel")
    again = panel.post(f"/imports/{id_}/run-again", passwords)
    assert (again.status_code, again.json()["fate"]) == (201, "started")
    new = again.json()["import"]["id"]
    assert new != id_
    assert again.headers["location"] == f"/api/v1/imports/{new}"
    assert panel.get(f"/imports/{new}").json()["source"]["address"] == "ada@old.example"
    repeated = panel.post(f"/imports/{id_}/run-again", passwords)
    assert (repeated.status_code, repeated.json()["fate"]) == (200, "under way")
    assert repeated.json()["import"]["id"] == new
    assert "location" not in repeated.headers
    for missing in ({"source_password": RIGHT, "destination_password": " "}, {"destination_password": RIGHT}):
        details = problem(panel.post(f"/imports/{id_}/run-again", missing), 422, "request_invalid")
        assert details["errors"][0]["rule"] == "password_missing"


def test_run_again_for_failed_messages_alone(office: WebOffice, panel: Panel) -> None:
    old, new = MemoryMailbox(), MemoryMailbox()
    office.doors.mailboxes |= {
        "ada@old.example imap.old.example": old,
        "ada@new.example imap.new.example": new,
    }
    for n in range(4):
        old.folders["INBOX"].add((), "01-Jan-2020 00:00:00 +0000", b"Subject: %d\r\n\r\n" % n)
    new.refuses = lambda body: "no" if body.startswith(b"Subject: 2") else None
    body = {"source_password": RIGHT, "destination_password": RIGHT, "failed_only": True}
    id_ = panel.start(source_password=RIGHT, destination_password=RIGHT)["id"]
    details = problem(panel.post(f"/imports/{id_}/run-again", body), 409, "not_possible")
    assert details["detail"].startswith("The import has not ended")
    handle_ring(office.deps, ImportId(id_))
    old.folders["INBOX"].add((), "01-Jan-2020 00:00:00 +0000", b"Subject: new\r\n\r\n")
    new.refuses = lambda _body: None
    answer = panel.post(f"/imports/{id_}/run-again", body)
    again = answer.json()["import"]
    assert (answer.status_code, again["retry_of"]) == (201, id_)
    handle_ring(office.deps, ImportId(again["id"]))
    report = panel.get(f"/imports/{again['id']}/report").json()
    assert (report["state"], report["retry_of"]) == ("complete", id_)
    assert (report["totals"]["copied"], report["totals"]["skipped_codes"]) == (1, {"not_retried": 1})
    details = problem(panel.post(f"/imports/{again['id']}/run-again", body), 409, "not_possible")
    assert "No message of the import failed" in details["detail"]


def test_undo_reports_why_it_is_refused(office: WebOffice, panel: Panel) -> None:
    id_ = panel.start()["id"]
    problem(panel.post(f"/imports/{id_}/undo", {"destination_password": RIGHT}), 409, "not_possible")
    panel.post(f"/imports/{id_}/cancel")
    problem(panel.get(f"/imports/{id_}/undo"), 404, "not_found")
    details = problem(
        panel.post(f"/imports/{id_}/undo", {"destination_password": SECRET}), 422, "mailbox_refused"
    )
    assert details["reason"] == "login_rejected"
    for _ in range(4):
        panel.post(f"/imports/{id_}/undo", {"destination_password": SECRET})
    answer = panel.post(f"/imports/{id_}/undo", {"destination_password": SECRET})
    problem(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) > 60


def test_a_long_undo_continues_in_the_background_and_does_not_count_as_a_guess(
    office: WebOffice, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = panel.start()["id"]
    panel.post(f"/imports/{id_}/cancel")
    released, original_open = threading.Event(), office.doors.admit
    undo_jobs = office.pages.state.site.undo_jobs
    monkeypatch.setattr(undo_resource, "WAIT_S", 0.01)
    monkeypatch.setattr(
        office.doors, "admit", lambda *args: released.wait(PATIENCE_S) and original_open(*args)
    )
    for _ in range(8):
        released.clear()
        answer = panel.post(f"/imports/{id_}/undo", {"destination_password": RIGHT})
        assert (answer.status_code, answer.json()["state"]) == (202, "under way")
        assert answer.headers["location"] == f"/api/v1/imports/{id_}/undo"
        released.set()
        assert wait_until(lambda: not undo_jobs.running(id_))
    assert panel.get(f"/imports/{id_}/undo").status_code == 200


def test_check_covers_both_mailboxes_and_cannot_be_used_to_guess(office: WebOffice, panel: Panel) -> None:
    office.doors.mailboxes["ada@old.example imap.old.example"] = office.office.old
    for _ in range(8):  # correct passwords do not count
        answer = panel.post("/check", ROW)
        assert answer.status_code == 200, answer.text
    result = answer.json()
    assert (result["done"], result["ready"], result["source"]["messages"]) == (True, True, 6)
    wrong = [panel.post("/check", {**ROW, "source_password": SECRET}).status_code for _ in range(7)]
    assert wrong == [200] * 5 + [429] * 2
    assert not office.deps.store.imports()
    problem(panel.post("/check", {**ROW, "source_password": ""}), 422, "rows_refused")


def test_detect_reports_the_steps_for_the_owner(panel: Panel) -> None:
    discovery = panel.post("/detect", {"address": "ada@gmail.com", "language": "de"}).json()
    assert discovery["provider"]["id"] == "google"
    assert discovery["first"]
    assert panel.post("/detect", {"address": "ada@nowhere.example"}).json()["provider"] is None
    problem(panel.post("/detect", {"address": SECRET}), 422, "request_invalid")


# --- Objects of other clients ---------------------------------------------------------------------------


READINGS = ("verification", "message-trace")
CALLS = (
    *(("GET", f"/imports/{{import}}{rest}") for rest in ("", "/report", "/report.csv", "/explanation")),
    *(("GET", f"/imports/{{import}}{rest}") for rest in ("/consent", "/undo", "/evidence")),
    *(("GET", f"/batches/{{batch}}{rest}") for rest in ("", "/report", "/report.csv", "/evidence")),
    *(("POST", f"/imports/{{import}}/{what}") for what in ("pause", "resume", "retry", "cancel")),
    *(("POST", f"/imports/{{import}}/{what}") for what in ("run-again", "schedule", "undo")),
    *((method, f"/imports/{{import}}/{what}") for method in ("GET", "POST") for what in READINGS),
)
BODY = {
    "run-again": {"source_password": RIGHT, "destination_password": RIGHT},
    "undo": {"destination_password": RIGHT},
    "schedule": {"follow_until": "2026-12-31"},
    "verification": {},
    "message-trace": {"message_id": "<1@old.example>"},
}


def call(panel: Panel, method: str, path: str, started: dict[str, Any]) -> Response:
    url = path.format(**{"import": started["id"], "batch": started["batch_id"]})
    return panel.get(url) if method == "GET" else panel.post(url, BODY.get(path.rpartition("/")[2]))


def test_calls_lists_all_operations_with_an_id(panel: Panel) -> None:
    described = panel.client.get("/api/v1/openapi.json").json()["paths"]
    operations = {
        (method.upper(), path.replace("import_id", "import").replace("batch_id", "batch"))
        for path, methods in described.items()
        for method in methods
        if "_id}" in path
    }
    assert operations == set(CALLS)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_objects_of_other_clients_are_not_found(office: WebOffice, method: str, path: str) -> None:
    mine, other = Panel(office, "mine"), Panel(office, "other")
    started = mine.start()
    before = office.deps.store.import_(ImportId(started["id"]))
    unknown = {"id": "k3v9m2xw7abc", "batch_id": "k3v9m2xw7abc"}
    details = problem(call(other, method, path, started), 404, "not_found")
    assert details == problem(call(other, method, path, unknown), 404, "not_found")
    assert office.deps.store.import_(ImportId(started["id"])) == before
    assert len(office.deps.store.imports()) == 1
    assert other.get("/imports").json()["items"] == other.get("/batches").json()["items"] == []
    problem(other.get("/imports", after=started["id"]), 404, "not_found")
    problem(other.get("/batches", after=started["batch_id"]), 404, "not_found")


def test_tokens_of_a_client_see_the_same_imports_and_an_admin_sees_all(office: WebOffice) -> None:
    started = Panel(office, "mine").start()
    browser = office.browser()
    browser.sign_in("grace@new.example")
    browser.start_import("grace@old.example")
    assert [item["id"] for item in Panel(office, "mine").get("/imports").json()["items"]] == [started["id"]]
    admin = Panel(office, "root", TokenScope.ADMIN)
    assert len(admin.get("/imports").json()["items"]) == len(admin.get("/batches").json()["items"]) == 2
    for method, path in CALLS:
        assert call(admin, method, path, started).status_code != 403
        assert "another client" not in call(admin, method, path, started).text


def test_an_import_of_another_client_on_the_route_is_not_named(office: WebOffice) -> None:
    mine, other = Panel(office, "mine"), Panel(office, "other")
    started = mine.start()
    answer = other.post("/imports", ROW)
    assert (answer.status_code, answer.json()["rows"][0]["fate"]) == (201, "started")
    assert answer.json()["rows"][0]["import"]["id"] != started["id"]
    assert started["id"] not in answer.text


# --- Idempotency ----------------------------------------------------------------------------------------


def test_the_same_key_and_body_get_the_same_response_and_are_executed_once(
    office: WebOffice, panel: Panel
) -> None:
    key = {"Idempotency-Key": "one"}
    first = panel.post("/imports", ROW, **key)
    second = panel.post("/imports", ROW, **key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(office.deps.store.imports()) == 1
    assert panel.post("/imports", ROW).status_code == 200  # without the key, the row is submitted again


def test_the_same_key_with_another_body_or_path_is_refused(panel: Panel) -> None:
    key = {"Idempotency-Key": "one"}
    panel.post("/imports", ROW, **key)
    for path, body in (
        ("/imports", {**ROW, "source_password": "another"}),
        ("/check", ROW),
    ):
        problem(panel.post(path, body, **key), 422, "idempotency_key_reused")
    for bad in ("", " ", "x" * 256, "a\tb"):
        problem(panel.post("/imports", ROW, **{"Idempotency-Key": bad}), 400, "idempotency_key_invalid")


def test_a_key_belongs_to_its_token_and_expires(office: WebOffice, panel: Panel) -> None:
    other, key = Panel(office, "other"), {"Idempotency-Key": "one"}
    id_ = panel.start()["id"]
    panel.post(f"/imports/{id_}/pause", **key)
    problem(other.post(f"/imports/{id_}/pause", **key), 404, "not_found")
    panel.post(f"/imports/{id_}/resume")
    assert panel.post(f"/imports/{id_}/pause", **key).json()["import"]["state"] == "paused"
    assert panel.get(f"/imports/{id_}").json()["state"] == "queued"
    office.office.clock.sleep(24 * 3600 + 1)
    assert "idempotency-replayed" not in panel.post(f"/imports/{id_}/pause", **key).headers
    assert panel.get(f"/imports/{id_}").json()["state"] == "paused"


def test_a_request_lost_with_its_process_can_be_repeated(
    office: WebOffice, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Idempotency-Key": "one"}
    with monkeypatch.context() as patched:
        for name in ("keep_answer", "forget_request"):  # as if the process had been killed before
            patched.setattr(office.deps.store, name, lambda *_: None)
        started = panel.post("/imports", ROW, **key).json()
    problem(panel.post("/imports", ROW, **key), 409, "idempotency_key_in_use")
    office.office.clock.sleep(301)
    again = panel.post("/imports", ROW, **key).json()
    assert again["rows"][0]["fate"] == "under way"
    assert again["rows"][0]["import"]["id"] == started["rows"][0]["import"]["id"]


def test_a_refused_request_can_be_corrected_with_the_same_key(panel: Panel) -> None:
    key = {"Idempotency-Key": "one"}
    problem(panel.post("/imports", {**ROW, "source_address": "x"}, **key), 422, "rows_refused")
    assert panel.post("/imports", ROW, **key).status_code == 201


def test_stored_requests_contain_no_readable_password_or_response(office: WebOffice, panel: Panel) -> None:
    panel.post("/imports", {**ROW, "source_password": SECRET}, **{"Idempotency-Key": "one"})
    [((_, _), (stored, _))] = office.office.store._answers.items()
    assert b"ada@" not in stored.sealed
    assert SECRET.encode() not in stored.sealed
    # Installations have different keys, so passwords cannot be guessed from the fingerprint.
    other = WebOffice(office.root / "other")
    Panel(other).post("/imports", {**ROW, "source_password": SECRET}, **{"Idempotency-Key": "one"})
    [(other_stored, _)] = other.office.store._answers.values()
    assert other_stored.fingerprint != stored.fingerprint


class Gate:
    """Blocks a thread until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()


def test_of_concurrent_equal_requests_one_is_executed(office: WebOffice, panel: Panel) -> None:
    key = {"Idempotency-Key": "one"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: panel.post("/imports", ROW, **key), range(16)))
    executed = [answer for answer in answers if answer.status_code == 201]
    assert executed
    assert len({answer.text for answer in executed}) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "idempotency_key_in_use")
    assert len(office.deps.store.imports()) == 1


def test_a_repeated_request_is_refused_while_the_first_is_in_progress(
    office: WebOffice, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, original_open = Gate(), office.doors.admit

    def blocking_open(*args: Any) -> MemoryMailbox:
        gate.reached.set()
        assert gate.opened.wait(PATIENCE_S)
        return original_open(*args)

    monkeypatch.setattr(office.doors, "admit", blocking_open)
    key = {"Idempotency-Key": "one"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(panel.post, "/check", ROW, **key)
        assert gate.reached.wait(PATIENCE_S)
        problem(panel.post("/check", ROW, **key), 409, "idempotency_key_in_use")
        gate.opened.set()
        assert first.result().status_code == 200
    assert panel.post("/check", ROW, **key).headers["idempotency-replayed"] == "true"


# --- Errors ---------------------------------------------------------------------------------------------


def test_unknown_paths_and_internal_errors_are_problem_details(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = Panel(office)
    panel.client = TestClient(office.app, base_url=office.settings.web_origin, raise_server_exceptions=False)
    problem(panel.get("/nothing"), 404, "not_found")
    for segment in ("%00", "a%0Ab", "a%0A", "%F0%9F%93%AC", "%ED%A0%80", "x" * 5000):
        problem(panel.get(f"/imports/{segment}"), 404, "not_found")
        problem(panel.get(f"/batches/{segment}/report.csv"), 404, "not_found")
    problem(panel.post("/token"), 405, "method_not_allowed")
    assert panel.get("/problems").json().keys() == problem_details.STATUSES.keys()

    def fails(*_args: object, **_more: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(office.deps.store, "batches", fails)
    answer = panel.get("/batches")
    problem(answer, 500, "internal")
    assert SECRET not in answer.text


def test_a_failed_call_can_be_repeated_with_the_same_key(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = Panel(office)
    panel.client = TestClient(office.app, base_url=office.settings.web_origin, raise_server_exceptions=False)
    key: dict[str, str] = {"Idempotency-Key": "one"}
    original: Callable[..., None] = office.office.store.add_batch

    def fails(*_args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(office.office.store, "add_batch", fails)
    problem(panel.post("/imports", ROW, **key), 500, "internal")
    monkeypatch.setattr(office.office.store, "add_batch", original)
    assert panel.post("/imports", ROW, **key).status_code == 201


def test_session_cookies_do_not_open_the_api_nor_tokens_the_pages(office: WebOffice, panel: Panel) -> None:
    browser = office.browser()
    browser.sign_in()
    assert browser.get("/api/v1/imports").status_code == 401
    assert panel.client.get("/imports", headers=panel.headers).status_code == 303


def test_the_description_lists_all_states_and_codes(panel: Panel) -> None:
    schemas = panel.client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    assert schemas["State"]["enum"] == [state.value for state in State]
    assert schemas["Problem"]["properties"]["code"]["enum"] == sorted(problem_details.STATUSES)


def test_secrets_are_not_in_the_repr_of_a_model() -> None:
    row = RowIn.model_validate({**ROW, "source_password": SECRET, "destination_password": SECRET})
    assert SECRET not in repr(row)
    assert row.cells()["source_password"] == SECRET
