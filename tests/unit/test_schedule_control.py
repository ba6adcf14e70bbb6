"""Until when an import fetches new mail, changed on its page."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from importer.domain.model import Import, State
from importer.service.legs.run_leg import handle_ring
from tests.unit.web_office import Browser, WebOffice


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path)


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in()
    browser.start_import()
    return browser


def only(office: WebOffice) -> Import:
    [import_] = office.deps.store.imports()
    return import_


def test_an_import_goes_on_until_a_date_and_then_makes_its_last_pass(office: WebOffice, ada: Browser) -> None:
    path = f"/imports/{only(office).id}"
    assert f'action="{path}/schedule"' in ada.get(path).text
    day = (office.deps.clock.now() + timedelta(days=9)).date().isoformat()
    saved = ada.post(f"{path}/schedule", follow_until=day, cutover_mx="")
    assert saved.headers["location"] == path
    handle_ring(office.deps, only(office).id)
    waiting = only(office)
    assert waiting.state is State.WAITING
    assert waiting.problem is not None
    assert waiting.problem.code.startswith("awaiting_cutover")
    page = ada.get(path).text
    assert f'value="{day}"' in page
    assert "Make the last pass now, then end" in page
    ada.post(f"{path}/schedule", wish="last")
    handle_ring(office.deps, waiting.id)
    assert only(office).state is State.COMPLETE
    assert "/schedule" not in ada.get(path).text


def test_what_is_not_possible_is_said_and_changes_nothing(office: WebOffice, ada: Browser) -> None:
    path = f"/imports/{only(office).id}"
    ada.get(path)
    before = only(office).options
    for fields, status in (
        ({"follow_until": "soon"}, 422),
        ({"follow_until": "", "cutover_mx": ""}, 409),  # without an end
        ({"until_cutover": "yes", "cutover_mx": "not a host"}, 422),
        ({"until_cutover": "yes"}, 409),  # no mail exchangers are known of the destination
    ):
        refused = ada.post(f"{path}/schedule", **fields)
        assert refused.status_code == status, fields
        assert 'role="alert"' in refused.text
    assert only(office).options == before
    eve = office.browser()
    eve.sign_in("eve@new.example")
    assert eve.post(f"{path}/schedule", follow_until="2030-01-01").status_code == 404
