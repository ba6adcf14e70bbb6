"""The API over ports in memory: by token, once per key, and whatever its schema lets somebody send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from starlette.testclient import TestClient

from importer.domain.access import Scope
from importer.service.tokens import NameTaken, create
from importer.service.work import work
from tests.unit.web_office import RIGHT, WebOffice

BATCH = {
    "imports": [
        {
            "source": {"address": "ada@old.example", "password": RIGHT, "server": "imap.old.example"},
            "destination": {"address": "ada@new.example", "password": RIGHT},
        }
    ]
}


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path)


def client(office: WebOffice, name: str = "panel", *scopes: Scope) -> TestClient:
    """With a token of that name."""
    token = create(office.deps, name, scopes or tuple(Scope))
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(office.app, base_url=office.settings.web_origin, headers=headers)


def start(panel: TestClient, batch: Any = BATCH, **headers: str) -> Any:
    return panel.post("/api/v1/batches", json=batch, headers=headers)


def test_a_batch_is_started_watched_and_ended(office: WebOffice) -> None:
    panel = client(office)
    answer = start(panel)
    assert answer.status_code == 201
    [one] = answer.json()["imports"]
    assert one["fate"] == "started"
    assert panel.post(f"/api/v1/imports/{one['id']}/pause").json()["state"] == "paused"
    assert panel.post(f"/api/v1/imports/{one['id']}/resume").json()["state"] == "queued"
    work(office.deps, one["id"])
    assert panel.get(f"/api/v1/imports/{one['id']}").json()["state"] == "complete"
    assert panel.get(f"/api/v1/batches/{answer.json()['batch_id']}").json()["states"] == {"complete": 1}
    assert panel.get("/api/v1/batches").json()["batches"][0]["id"] == answer.json()["batch_id"]
    assert panel.post(f"/api/v1/imports/{one['id']}/cancel").json()["effect"] == "too late"
    [import_] = office.deps.store.imports()
    assert import_.source.guarded


def test_a_key_makes_a_request_happen_once(office: WebOffice) -> None:
    panel = client(office)
    key = {"Idempotency-Key": "order 66"}
    first = start(panel, **key)
    again = start(panel, **key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(office.deps.store.batches()) == 1
    other = start(panel, {**BATCH, "again": True}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert start(client(office, "other"), **key).json()["imports"][0]["fate"] == "under way"
    broken = start(panel, {"imports": [{**BATCH["imports"][0], "source": {}}]}, **{"Idempotency-Key": "b"})
    assert broken.status_code == 422
    assert start(panel, **{"Idempotency-Key": "b"}).status_code == 201


def test_a_request_that_died_with_its_process_can_be_sent_again(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = client(office)
    key = {"Idempotency-Key": "a"}
    with monkeypatch.context() as patched:
        patched.setattr(office.deps.store, "keep_reply", lambda *_: None)  # the process is killed before
        started = start(panel, **key).json()
    assert start(panel, **key).status_code == 409
    office.office.clock.sleep(301)
    again = start(panel, **key)
    assert (again.status_code, again.json()["imports"][0]["fate"]) == (201, "under way")
    assert again.json()["imports"][0]["id"] == started["imports"][0]["id"]


def test_what_is_kept_of_a_request_tells_nobody_its_passwords(office: WebOffice) -> None:
    """A digest that needs no key could be tried out against every word of a dictionary."""
    digests = []
    for root in (office.root, office.root / "other"):
        another = WebOffice(root)
        kept: list[str] = []
        claim = another.deps.store.claim_reply
        another.deps.store.claim_reply = (  # type: ignore[method-assign]
            lambda reply, *rest, claim=claim, kept=kept: (
                kept.append(reply.request_digest) or claim(reply, *rest)
            )
        )
        start(client(another), **{"Idempotency-Key": "a"})
        digests += kept
    assert digests[0] != digests[1], "two installations, two keys"


def test_without_the_right_token_there_is_nothing(office: WebOffice) -> None:
    panel = client(office)
    batch = start(panel).json()
    import_id = batch["imports"][0]["id"]
    nobody = TestClient(office.app, base_url=office.settings.web_origin)
    wrong = TestClient(office.app, headers={"Authorization": "Bearer mf_wrong"})
    other, reader = client(office, "other"), client(office, "reader", Scope.READ)
    reads = (f"/api/v1/batches/{batch['batch_id']}", f"/api/v1/imports/{import_id}")
    writes = tuple(f"/api/v1/imports/{import_id}/{wish}" for wish in ("pause", "resume", "cancel"))
    for path in reads:
        assert [who.get(path).status_code for who in (nobody, wrong, other, reader)] == [401, 401, 404, 404]
    for path in writes:
        assert [who.post(path).status_code for who in (nobody, wrong, other, reader)] == [401, 401, 404, 403]
    assert start(reader).status_code == 403
    assert other.get("/api/v1/batches").json() == {"batches": []}
    assert nobody.get("/api/v1/batches").headers["content-type"] == "application/problem+json"
    office.deps.store.end_token("panel")
    assert panel.get(reads[0]).status_code == 401


def test_what_cannot_be_used_is_told_by_place_and_never_quoted(office: WebOffice) -> None:
    secret = "pa55 word"
    one = {
        "source": {"address": secret, "password": secret, "server": f"imaps://x:{secret}@host"},
        "destination": {"address": "ada", "password": " "},
    }
    answer = start(client(office), {"imports": [one], "notify": "nobody"})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/imports/0/source/address",
        "/imports/0/source/server",
        "/imports/0/destination/address",
        "/imports/0/destination/password",
        "/notify",
    }
    assert secret not in answer.text
    unknown = start(client(office, "b"), {"imports": [{**one, "password": secret}]})
    assert unknown.status_code == 422
    assert secret not in unknown.text


def test_a_token_has_a_name_of_its_own_and_is_not_stored(office: WebOffice) -> None:
    text = create(office.deps, "panel", [Scope.READ])
    with pytest.raises(NameTaken):
        create(office.deps, "panel", [Scope.READ])
    assert text not in repr(office.deps.store.tokens())


def test_nothing_that_the_schema_allows_is_a_fault_of_ours(tmp_path: Path) -> None:
    office = WebOffice(tmp_path)
    headers = {"Authorization": f"Bearer {create(office.deps, 'panel', tuple(Scope))}"}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", office.app)
    assert len(list(schema.get_all_operations())) == 7
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), "the schema is whole"
        operation = found.ok()

        @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=[not_a_server_error])

        holds()
