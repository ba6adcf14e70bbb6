"""The description of the API has no loose ends: names, answers, errors and webhooks are all described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from importer.domain.model import Problem, State
from importer.domain.reporting.report import Report
from importer.domain.reporting.webhook_events import EVENT, SIGNATURE, EventType, event
from importer.i18n.report_json import report_json
from importer.i18n.translations import texts
from importer.web.api.request_schemas import RowIn
from providers.text import Text
from tests.unit.test_api import ROW, SECRET, Panel
from tests.unit.web_office import WebOffice


@pytest.fixture
def panel(office: WebOffice) -> Panel:
    return Panel(office)


@pytest.fixture
def described(panel: Panel) -> dict[str, Any]:
    description: dict[str, Any] = panel.client.get("/api/v1/openapi.json").json()
    return description


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in described["paths"].values()
        for operation in methods.values()
    }


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def validator(described: dict[str, Any], name: str) -> Draft202012Validator:
    """That refuses members which the schema does not describe."""
    schemas = json.loads(json.dumps(described["components"]["schemas"]))
    for schema in schemas.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})


def test_every_operation_has_a_name_of_its_own(described: dict[str, Any]) -> None:
    """Generated clients make methods of them: `start_import`, not `start_import_imports_post`."""
    number = sum(len(methods) for methods in described["paths"].values())
    names = operations(described)
    assert len(names) == number
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["operationId"].isidentifier()
            assert not operation["operationId"].endswith(f"_{method}"), path
            assert operation["summary"]
            assert operation["tags"]


def test_every_reference_leads_to_a_schema(described: dict[str, Any]) -> None:
    for reference in references(described):
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        assert name in described["components"][kind], reference


def test_every_answer_has_a_schema(described: dict[str, Any]) -> None:
    for name, operation in operations(described).items():
        assert {"4XX", "5XX"} <= operation["responses"].keys(), name
        for status, answer in operation["responses"].items():
            schemas = [content.get("schema") for content in answer.get("content", {}).values()]
            assert any(schemas), f"{name} {status}"
            assert answer["description"]


@pytest.mark.parametrize("name", ["pause", "resume", "retry", "cancel", "undo_import"])
def test_what_takes_longer_is_answered_with_202(described: dict[str, Any], name: str) -> None:
    assert "202" in operations(described)[name]["responses"]


def test_the_token_is_described(described: dict[str, Any]) -> None:
    [scheme] = described["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert all(operation["security"] for operation in operations(described).values())


def test_every_problem_has_only_members_that_are_described(panel: Panel, described: dict[str, Any]) -> None:
    started = panel.start()
    answers = [
        panel.get("/imports/none"),
        panel.post("/imports", {**ROW, "source_address": "ada"}),
        panel.post("/imports", {"source_address": "ada@old.example"}),
        panel.post("/imports", {**ROW, "source_address": "a\x00b"}),
        panel.post(f"/imports/{started['id']}/undo", {"destination_password": SECRET}),
        panel.post("/batches", {"rows": [{**ROW, "source_address": str(n)} for n in range(25)]}),
        panel.client.get("/api/v1/imports"),
    ]
    cancelled = panel.post(f"/imports/{started['id']}/cancel")
    assert cancelled.status_code == 200
    answers += [panel.post(f"/imports/{started['id']}/pause")]
    problems = [answer.json() for answer in answers]
    assert {problem["code"] for problem in problems} >= {
        "not_found",
        "rows_refused",
        "request_invalid",
        "not_possible",
        "token_missing",
    }
    for problem in problems:
        validator(described, "Problem").validate(problem)


def test_the_events_of_webhooks_are_described(
    office: WebOffice, panel: Panel, described: dict[str, Any]
) -> None:
    started = panel.start()
    assert described["webhooks"].keys() == {type_.value for type_ in EventType}
    for webhook in described["webhooks"].values():
        assert [parameter["name"] for parameter in webhook["post"]["parameters"]] == [SIGNATURE, EVENT]
    [import_] = office.deps.store.imports(limit=1)
    assert import_.id == started["id"]
    stopped = replace(import_, state=State.STOPPED, problem=Problem(Text("disk_full")))
    for changed in (stopped, replace(import_, state=State.COMPLETE)):
        told = event(changed, report_json(texts("en"), Report(changed, (), ())), datetime.now(UTC))
        body = json.loads(told.body)
        schema = {**described["components"]["schemas"]["Event"], "components": described["components"]}
        Draft202012Validator(schema).validate(body)


def test_every_field_of_a_row_is_in_the_description(described: dict[str, Any]) -> None:
    properties = described["components"]["schemas"]["RowIn"]["properties"]
    assert properties.keys() == RowIn.model_fields.keys()
