"""Signing in at a provider in the form of a new import: at once, for the typed address, in this visit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from httpx import Response

from importer.domain.model import Import, State
from importer.service.access.sealed_grants import open_grants
from importer.service.legs.run_leg import handle_ring
from providers.errors import ServerUnavailable
from providers.grants import OAuthGrant
from providers.mailbox_access import Question
from tests.fakes.mailbox_access import MemoryAccess
from tests.unit.web_office import RIGHT, Browser, WebOffice

ADDRESS = "ada@gmail.com"


class Google:
    """Answers the requests that pages forward to: the questions of `MemoryAccess`, the last one last."""

    def __init__(self, access: MemoryAccess) -> None:
        self.access = access
        self.questions: list[Question] = []
        original = access.begin_sign_in

        def begin_sign_in(provider: str, mailbox: str) -> Question:
            self.questions.append(original(provider, mailbox))
            return self.questions[-1]

        access.begin_sign_in = begin_sign_in  # type: ignore[method-assign]

    def allows(self, mailbox: str = ADDRESS) -> dict[str, str]:
        return self.access.sign_in(self.questions[-1], mailbox)


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path, access=MemoryAccess(frozenset({"google", "microsoft"})))


@pytest.fixture
def google(office: WebOffice) -> Google:
    return Google(office.access)


@pytest.fixture
def ada(office: WebOffice, google: Google) -> Browser:
    browser = office.browser()
    browser.sign_in()
    return browser


def go_to_google(browser: Browser, address: str = ADDRESS) -> Response:
    browser.post("/new", address=address)
    return browser.post("/new/sign-in")


def come_back(browser: Browser, answer: dict[str, str], provider: str = "google") -> Response:
    response = browser.client.get(f"/sign-in/{provider}", params=answer)
    return browser._seen(response)


def start(browser: Browser) -> Response:
    [destination] = re.findall(r'name="destination" value="([^"]+)"', browser.get("/new/review").text)
    return browser.post("/new/start", destination=destination)


def only_import(office: WebOffice) -> Import:
    [import_] = office.deps.store.imports()
    return import_


# --- The way ------------------------------------------------------------------------------------------


def test_the_button_leads_to_the_provider_and_back_to_the_review(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    forwarded = go_to_google(ada)
    assert google.questions[-1].url.replace("&", "&amp;") in forwarded.text
    back = come_back(ada, google.allows())
    assert back.headers["location"] == "/new/review"
    page = ada.get("/new/review").text
    assert f'data-check="{ADDRESS} imap.gmail.com"' in page  # its contents are counted
    assert "You can close" not in page
    batch = start(ada).headers["location"]
    import_ = only_import(office)
    assert import_.state is State.QUEUED
    assert import_.problem is None
    assert not office.deps.store.consents_of(import_.id)  # nobody is asked any more
    assert not [*office.office.store.notices("consent:")]
    sealed = office.deps.store.grants(import_.id)
    assert sealed is not None
    assert isinstance(open_grants(office.deps, import_.id, sealed).source, OAuthGrant)
    handle_ring(office.deps, import_.id)
    assert only_import(office).state is State.COMPLETE
    assert "/consent/" not in ada.get(batch).text


def test_the_check_counts_the_mailbox_without_another_token(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    go_to_google(ada)
    come_back(ada, google.allows())
    office.access.rotates = True
    page = ada.get("/new/review").text
    [destination] = re.findall(r'name="destination" value="([^"]+)"', page)
    query = {"source": f"{ADDRESS} imap.gmail.com", "destination": destination}
    answer = ada.client.get("/new/check", params=query)
    assert answer.status_code == 200
    assert "event: found" in answer.text
    start(ada)
    handle_ring(office.deps, only_import(office).id)  # with the refresh token that is the last one
    assert only_import(office).state is State.COMPLETE


def test_an_import_that_waits_for_the_owner_goes_on_with_the_grant(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    ada.post("/new", address=ADDRESS)
    ada.post("/new/consent")
    start(ada)
    waiting = only_import(office)
    assert waiting.state is State.WAITING
    go_to_google(ada)
    come_back(ada, google.allows())
    assert start(ada).headers["location"] == f"/imports/{waiting.id}"
    handle_ring(office.deps, waiting.id)
    assert only_import(office).state is State.COMPLETE


def test_without_the_provider_the_app_password_alone_is_shown(office: WebOffice, ada: Browser) -> None:
    office.access.open_at = frozenset()
    ada.post("/new", address=ADDRESS)
    page = ada.get("/new/mailbox").text
    assert "/new/sign-in" not in page
    assert "App password of the old mailbox" in page


def test_each_way_has_its_own_steps(ada: Browser) -> None:
    ada.post("/new", address=ADDRESS)
    page = ada.get("/new/mailbox").text
    by_sign_in, _, by_password = page.partition('action="/new/mailbox"')
    assert "two-step" not in by_sign_in.lower()
    assert "apppasswords" not in by_sign_in
    assert "apppasswords" in by_password
    assert re.search(r"<button[^>]*autofocus[^>]*>Sign in with Google", by_sign_in)
    assert "autofocus" not in by_password


def test_a_host_without_passwords_asks_for_none_and_has_a_way_back(ada: Browser) -> None:
    ada.post("/new", address="ada@outlook.com")
    page = ada.get("/new/mailbox").text
    assert "password is sent" not in page
    assert 'href="/new"' in page.partition("<h1")[2]
    assert f'value="{"ada@outlook.com"}"' in ada.get("/new").text


def test_the_window_can_be_closed_only_if_nobody_has_to_act(office: WebOffice, ada: Browser) -> None:
    columns = "source_address,source_password,source_server,destination_address,destination_password\n"
    plain = "{0}@old.example,right,imap.old.example,{0}@new.example,right\n"
    for owner, hidden in (("", False), ("eve@gmail.com,,,eve@new.example,right\n", True)):
        names = "ab" if owner else "cd"
        ada.post("/file", rows=columns + "".join(map(plain.format, names)) + owner)
        page = ada.get(ada.post("/file/start").headers["location"]).text
        assert ('id="banner" hidden' in page) == hidden
    go_on = ada.post("/new", address=ADDRESS).status_code, ada.post("/new/consent").status_code
    assert go_on == (303, 303)
    assert 'id="banner" hidden' in ada.get(start(ada).headers["location"]).text


# --- What can go wrong ---------------------------------------------------------------------------------


def retried(browser: Browser, page: Response, google: Google) -> None:
    """The button of the page leads to the provider again, and from there to the review."""
    assert "Try again" in page.text
    assert google.questions[-1].url not in page.text
    asked = len(google.questions)
    browser.post("/new/sign-in")
    assert len(google.questions) == asked + 1
    assert come_back(browser, google.allows()).headers["location"] == "/new/review"


def test_another_account_and_a_refusal_have_their_own_sentences(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    go_to_google(ada)
    other = come_back(ada, google.allows("eve@gmail.com"))
    assert other.status_code == 409
    assert "as eve@gmail.com, but the mailbox is ada@gmail.com" in other.text
    go_to_google(ada)
    refused = come_back(ada, {"state": google.questions[-1].state, "error": "access_denied"})
    assert refused.status_code == 409
    assert "You did not give permission" in refused.text
    assert "eve@gmail.com" not in refused.text
    assert ada.get("/new/review").headers["location"] == "/new"  # nothing was added
    retried(ada, refused, google)
    assert not office.deps.store.imports()


def test_a_page_that_is_loaded_again_says_so_and_does_nothing(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    go_to_google(ada)
    answer = google.allows()
    come_back(ada, answer)
    again = come_back(ada, answer)
    assert again.status_code == 200
    assert "You have already signed in" in again.text
    assert 'href="/new/review"' in again.text
    go_to_google(ada)
    answer = {"state": google.questions[-1].state, "error": "access_denied"}
    come_back(ada, answer)
    again = come_back(ada, answer)
    assert again.status_code == 403
    assert "no longer valid" in again.text
    retried(ada, again, google)


def test_an_answer_that_comes_too_late_is_rejected(office: WebOffice, ada: Browser, google: Google) -> None:
    go_to_google(ada)
    answer = google.allows()
    office.office.clock.sleep(601)
    late = come_back(ada, answer)
    assert late.status_code == 403
    assert "no longer valid" in late.text
    retried(ada, late, google)


def test_a_provider_that_does_not_respond_leaves_nothing_behind(
    office: WebOffice, ada: Browser, google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_to_google(ada)

    def down(*_: object) -> None:
        raise ServerUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(office.access, "complete_sign_in", down)
        page = come_back(ada, google.allows())
    assert page.status_code == 503
    retried(ada, page, google)


def test_a_mailbox_that_its_host_does_not_open_is_not_added(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    """IMAP may be switched off although the owner signed in."""
    go_to_google(ada)
    office.access.token = "refused"
    page = come_back(ada, google.allows())
    assert page.status_code == 409
    assert "imap.gmail.com" in page.text
    assert len(office.access.given_back) == 1
    office.access.token = RIGHT
    retried(ada, page, google)


# --- Attacks -------------------------------------------------------------------------------------------


def test_an_answer_counts_only_in_the_visit_that_began_the_sign_in(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    """An attacker can neither plant their own mailbox in a victim's visit nor get a victim's."""
    mallory = office.browser()
    mallory.sign_in("mallory@new.example")
    go_to_google(mallory, "mallory@gmail.com")
    answer = google.allows("mallory@gmail.com")
    assert come_back(ada, answer).status_code == 403
    assert ada.get("/new/review").headers["location"] == "/new"
    assert come_back(office.browser(), answer).status_code == 403
    assert come_back(mallory, answer).headers["location"] == "/new/review"  # nobody used it up


def test_an_answer_at_another_providers_address_or_with_another_state_is_rejected(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    go_to_google(ada)
    answer = google.allows()
    assert come_back(ada, answer, "microsoft").status_code == 403
    assert come_back(ada, {**answer, "state": "0" * 16}).status_code == 403
    assert come_back(ada, {**answer, "state": ""}).status_code == 403
    assert come_back(ada, {"code": answer["code"]}).status_code == 403
    assert come_back(ada, answer).headers["location"] == "/new/review"


def test_the_visit_gets_a_new_token_with_the_grant(office: WebOffice, ada: Browser, google: Google) -> None:
    """A browser that was given the same token, or took it, does not get at the mailbox."""
    go_to_google(ada)
    other = office.browser()
    other.client.cookies.set("visit", ada.client.cookies["visit"])
    assert other.get("/new").status_code == 200
    come_back(ada, google.allows())
    assert other.get("/new/review").headers["location"] == "/"
    assert ADDRESS in ada.get("/new/review").text


def test_a_grant_goes_to_the_provider_alone_whatever_host_the_form_names(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    ada.post("/new", address="ada@old.example")
    answer = ada.post("/new/sign-in", address="ada@old.example", server="imap.evil.example", again="")
    assert answer.headers["location"] == "/new"
    ada.post("/new/sign-in", address="ada@old.example", server="imap.gmail.com", again="")
    come_back(ada, google.allows("ada@old.example"))
    assert 'data-check="ada@old.example imap.gmail.com"' in ada.get("/new/review").text
    assert office.doors.knocks[-1][0].endpoint.host == "imap.gmail.com"
    assert office.doors.knocks[-1][0].public_only


def test_the_session_holds_the_grant_sealed_and_gives_it_back(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    go_to_google(ada)
    come_back(ada, google.allows())
    [session] = office.office.store.web_sessions(office.office.clock.now())
    assert ADDRESS.encode() not in session.sealed
    ada.get("/new/review")
    ada.post("/new/remove", key=f"{ADDRESS} imap.gmail.com")
    assert len(office.access.given_back) == 1
    go_to_google(ada)
    come_back(ada, google.allows())
    ada.get("/new/review")
    ada.post("/sign-out")
    assert len(office.access.given_back) == 2


def test_an_import_keeps_the_grant_when_the_visit_ends(
    office: WebOffice, ada: Browser, google: Google
) -> None:
    go_to_google(ada)
    come_back(ada, google.allows())
    start(ada)
    ada.post("/sign-out")
    assert not office.access.given_back
