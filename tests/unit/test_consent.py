"""Rows whose owners sign in: asked, reminded, let in, given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from importer.adapters.fernet_vault import FernetVault
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Import, ImportId, State
from importer.domain.people.consent_schedule import mails_due, next_look
from importer.domain.reporting.report import ExitCode, exit_code
from importer.ports.leases import Lease
from importer.ports.notices import MailOutcome, MailState, Notice
from importer.service.access import owner_consent
from importer.service.access.sealed_grants import consents_to_revoke, open_grants
from importer.service.imports.control import cancel, pause, resume
from importer.service.imports.submit import RowOutcome, submit
from importer.service.legs.run_leg import handle_ring
from importer.service.notify.deliver_mail import send_due_mail
from importer.service.tick import Tick
from providers.endpoint import Secret
from providers.errors import LoginRejected, Side
from providers.grants import OAuthGrant, OrganisationGrant, PasswordGrant
from tests.fakes.mailbox_access import MemoryAccess
from tests.fakes.store import MemoryStore
from tests.unit.test_service import DESTINATION, SOURCE, Mailer, Office, a_row

DAY = timedelta(days=1)
OTHER_VAULT = FernetVault([Secret(Fernet.generate_key().decode())])


@pytest.fixture
def office() -> Office:
    return Office(access=MemoryAccess(frozenset({"google"})))


def asking(row: Row | None = None) -> Row:
    return replace(row or a_row(), source_password=None, source_sign_in="google")


def into(row: Row | None = None) -> Row:
    """Into a mailbox that its owner opens."""
    return replace(row or a_row(), destination_password=None, destination_sign_in="google")


def placed(
    office: Office, row: Row | None = None, *, organisation: bool = False
) -> tuple[RowOutcome, Import]:
    [one] = submit(office.deps, [row or asking()], organisation=organisation).rows
    return one.outcome, office.import_(one.import_.id)


def token_of(office: Office, import_id: ImportId, side: Side = Side.SOURCE) -> str:
    link = owner_consent.links(office.deps, [office.import_(import_id)])[import_id][side]
    assert link.startswith("https://haul.example/consent/")
    return link.rpartition("/")[2]


def sign_in(office: Office, import_id: ImportId, mailbox: str = "", side: Side = Side.SOURCE) -> Import:
    question = owner_consent.begin(office.deps, token_of(office, import_id, side))
    answer = office.access.sign_in(question, mailbox or office.import_(import_id).account(side).address)
    return owner_consent.complete(office.deps, question.state, answer)


def work_while_the_owner_signs_in(office: Office, import_id: ImportId) -> None:
    """A leg two days later; the old mailbox's owner signs in just before it lets the import wait on."""
    question = owner_consent.begin(office.deps, token_of(office, import_id))
    answer = office.access.sign_in(question, SOURCE.address)
    office.clock.sleep(2 * 86_400)

    class Quick(MemoryStore):
        def update_import(self, changed: Import, lease: Lease | None = None) -> None:
            if changed.state is State.WAITING and Side.SOURCE in self.consents_of(import_id):
                owner_consent.complete(office.deps, question.state, answer)
            super().update_import(changed, lease)

    quick = Quick()
    quick.__dict__.update(office.store.__dict__)
    office.store = quick
    office.deps = replace(office.deps, store=quick)
    handle_ring(office.deps, import_id)


def invitations(office: Office) -> list[Notice]:
    return list(office.store.notices("consent:"))


# --- Asked -------------------------------------------------------------------------------------------


def test_the_owner_gets_a_link_and_the_import_waits_for_it(office: Office) -> None:
    fate, import_ = placed(office)
    assert fate is RowOutcome.STARTED
    assert import_.problem is not None
    assert (import_.state, import_.problem.code) == (State.WAITING, "consent_needed")
    assert import_.not_before == office.clock.now() + 2 * DAY
    assert exit_code(import_) is ExitCode.WAITING
    [mail] = invitations(office)
    assert mail.recipient == SOURCE.address
    link = f"https://haul.example/consent/{token_of(office, import_.id)}"
    sent = owner_consent.with_consent_link(office.deps, mail)
    assert sent is not None
    assert link in sent.text
    assert f'href="{link}"' in sent.html
    assert DESTINATION.address in mail.text
    asked = owner_consent.find_prompt(office.deps, token_of(office, import_.id))
    assert (asked.import_.id, asked.provider_name) == (import_.id, "Google")
    assert asked.expires_at == office.clock.now() + 14 * DAY


def test_the_token_is_in_the_store_only_as_a_hash_and_sealed(office: Office) -> None:
    _, import_ = placed(office)
    token = token_of(office, import_.id)
    request = office.store.consents_of(import_.id)[Side.SOURCE]
    assert len(token) >= 43  # 256 bits
    assert token not in repr(request) + repr(invitations(office))


def test_nobody_connects_while_the_owner_has_not_signed_in(office: Office) -> None:
    _, import_ = placed(office)
    office.sessions.trouble = AssertionError("nobody was to connect")
    handle_ring(office.deps, import_.id)
    assert office.import_(import_.id).state is State.WAITING


def test_a_worker_asks_where_the_submitter_was_killed_before_it_could(office: Office) -> None:
    class Killed(MemoryStore):
        """Its first lease breaks the process."""

        killed = False

        def acquire(self, *given: Any) -> Lease | None:
            if not self.killed:
                self.killed = True
                raise KeyboardInterrupt
            return super().acquire(*given)

    office = Office(access=office.access, store=Killed())
    with pytest.raises(KeyboardInterrupt):
        placed(office)
    Tick(office.deps)()
    [import_id] = office.queue.take()
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.WAITING
    assert len(invitations(office)) == 1


def test_the_other_rows_go_on(office: Office) -> None:
    other = replace(a_row(line=2), destination=replace(DESTINATION, login="other"))
    office.sessions.mailboxes[other.destination.key] = office.new
    [waits, goes] = submit(office.deps, [asking(), other]).rows
    assert office.work(goes.import_.id).state is State.COMPLETE
    assert office.import_(waits.import_.id).state is State.WAITING


def test_a_mail_goes_out_with_its_link_and_not_when_the_owner_was_quicker(office: Office) -> None:
    sent: list[Notice] = []

    class Kept(Mailer):
        def send(self, notice: Notice) -> tuple[MailOutcome, str]:
            sent.append(notice)
            return super().send(notice)

    assert office.deps.outgoing_mail is not None
    office.deps = replace(office.deps, outgoing_mail=replace(office.deps.outgoing_mail, mailer=Kept()))
    _, import_ = placed(office)
    token = token_of(office, import_.id)
    assert send_due_mail(office.deps) == 1
    assert token in sent[0].text
    office.clock.sleep(2 * 86_400)
    handle_ring(office.deps, import_.id)
    assert len(invitations(office)) == 2
    sign_in(office, import_.id)
    assert send_due_mail(office.deps) == 0
    assert len(sent) == 1
    assert [mail.state for mail in invitations(office)] == [MailState.SENT] * 2


def test_a_mail_whose_token_cannot_be_opened_waits_for_the_key(office: Office) -> None:
    placed(office)
    right = office.deps.vault
    office.deps = replace(office.deps, vault=OTHER_VAULT)
    assert send_due_mail(office.deps) == 0
    office.deps = replace(office.deps, vault=right)
    office.clock.sleep(60)
    assert send_due_mail(office.deps) == 1


# --- Let in -----------------------------------------------------------------------------------------


def test_a_consent_starts_the_import_at_once_and_works_once(office: Office) -> None:
    _, import_ = placed(office)
    office.queue.take()
    token = token_of(office, import_.id)
    after = sign_in(office, import_.id)
    assert (after.problem, after.not_before) == (None, None)
    assert office.queue.take() == [import_.id]
    for again in (owner_consent.find_prompt, owner_consent.begin):
        with pytest.raises(owner_consent.LinkGone, match="used already"):
            again(office.deps, token)
    handle_ring(office.deps, import_.id)
    assert office.import_(import_.id).state is State.COMPLETE
    assert office.store.grants(import_.id) is None
    assert not office.store.consents_of(import_.id)


def test_another_mailbox_is_not_taken_and_the_link_still_works(office: Office) -> None:
    _, import_ = placed(office)
    with pytest.raises(LoginRejected, match=r"signed in as grace@old\.example"):
        sign_in(office, import_.id, "grace@old.example")
    assert office.import_(import_.id).state is State.WAITING
    sign_in(office, import_.id)
    assert office.work(import_.id).state is State.COMPLETE


def test_the_sign_in_that_was_begun_last_counts(office: Office) -> None:
    _, import_ = placed(office)
    token = token_of(office, import_.id)
    first, second = owner_consent.begin(office.deps, token), owner_consent.begin(office.deps, token)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, first.state, office.access.sign_in(first, SOURCE.address))
    owner_consent.complete(office.deps, second.state, office.access.sign_in(second, SOURCE.address))


@pytest.mark.parametrize("state", ["", "guessed"])
def test_a_state_that_was_never_given_out_completes_nothing(office: Office, state: str) -> None:
    placed(office)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, state, {"state": state, "code": "x"})


def test_a_guessed_link_leads_nowhere(office: Office) -> None:
    placed(office)
    for token in ("", "guessed", "\ud800"):
        with pytest.raises(owner_consent.LinkGone):
            owner_consent.find_prompt(office.deps, token)


def test_a_consent_while_the_worker_writes_a_reminder_is_not_slept_over(office: Office) -> None:
    _, import_ = placed(office)
    work_while_the_owner_signs_in(office, import_.id)
    assert office.import_(import_.id).not_before is None
    handle_ring(office.deps, import_.id)
    assert office.import_(import_.id).state is State.COMPLETE


def test_a_paused_import_takes_the_consent_and_stays_paused(office: Office) -> None:
    _, import_ = placed(office)
    pause(office.deps, import_.id)
    sign_in(office, import_.id)
    assert office.import_(import_.id).state is State.PAUSED
    resume(office.deps, import_.id)
    assert office.work(import_.id).state is State.COMPLETE


# --- Into the owner's mailbox ---------------------------------------------------------------------------


def awaited(office: Office, import_id: ImportId) -> list[Side]:
    return [*owner_consent.links(office.deps, [office.import_(import_id)]).get(import_id, {})]


def test_the_owner_of_the_new_mailbox_is_asked_and_lets_mail_in(office: Office) -> None:
    _, import_ = placed(office, into())
    assert import_.problem is not None
    assert (import_.problem.code, import_.problem.side) == ("consent_needed", Side.DESTINATION)
    assert DESTINATION.address in import_.problem.message
    [mail] = invitations(office)
    assert mail.recipient == DESTINATION.address
    assert f"into your mailbox {DESTINATION.address}" in mail.text.replace("\n", " ")
    assert "may read" not in mail.text + mail.html
    assert awaited(office, import_.id) == [Side.DESTINATION]
    token = token_of(office, import_.id, Side.DESTINATION)
    asked = owner_consent.find_prompt(office.deps, token)
    assert (asked.is_destination, asked.mailbox) == (True, DESTINATION.address)
    sent = owner_consent.with_consent_link(office.deps, mail)
    assert sent is not None
    assert token in sent.text
    with pytest.raises(LoginRejected, match=r"signed in as ada@old\.example"):
        sign_in(office, import_.id, SOURCE.address, Side.DESTINATION)
    sign_in(office, import_.id, side=Side.DESTINATION)
    assert owner_consent.with_consent_link(office.deps, mail) is None
    assert office.work(import_.id).state is State.COMPLETE
    assert [type(grant) for grant in office.access.given_back] == [OAuthGrant]


@pytest.mark.parametrize("first", Side)
def test_both_owners_are_asked_at_once_and_it_goes_on_when_both_signed_in(
    office: Office, first: Side
) -> None:
    _, import_ = placed(office, into(asking()))
    assert awaited(office, import_.id) == [*Side]
    assert {mail.recipient for mail in invitations(office)} == {SOURCE.address, DESTINATION.address}
    assert all("The owner of the other mailbox is asked as well" in mail.html for mail in invitations(office))
    assert import_.problem is not None
    assert import_.problem.side is Side.SOURCE
    assert "The owner of the other mailbox has to sign in too" in import_.problem.message
    office.queue.take()
    then = next(side for side in Side if side is not first)
    sign_in(office, import_.id, side=first)
    assert office.queue.take() == [import_.id]
    office.sessions.trouble = AssertionError("nobody was to connect")
    handle_ring(office.deps, import_.id)
    waiting = office.import_(import_.id)
    assert waiting.problem is not None
    assert (waiting.state, waiting.problem.code, waiting.problem.side) == (
        State.WAITING,
        "consent_needed",
        then,
    )
    assert "other mailbox" not in waiting.problem.message
    assert waiting.not_before is not None
    assert awaited(office, import_.id) == [then]
    office.sessions.trouble = None
    sign_in(office, import_.id, side=then)
    assert office.work(import_.id).state is State.COMPLETE
    assert len(office.access.given_back) == 2


def test_one_link_opens_one_side_only(office: Office) -> None:
    """The same person may own both mailboxes, under one address."""
    row = into(asking(replace(a_row(), destination=replace(DESTINATION, address=SOURCE.address))))
    row = replace(row, destination=replace(row.destination, login=SOURCE.address))
    _, import_ = placed(office, row)
    assert len(invitations(office)) == 2
    sign_in(office, import_.id, side=Side.DESTINATION)
    assert awaited(office, import_.id) == [Side.SOURCE]


def test_when_one_owner_never_comes_the_other_s_consent_is_given_back(office: Office) -> None:
    _, import_ = placed(office, into(asking()))
    sign_in(office, import_.id, side=Side.DESTINATION)
    while office.import_(import_.id).state is State.WAITING:
        office.work(import_.id)
    ended = office.import_(import_.id)
    assert ended.problem is not None
    assert (ended.problem.code, ended.problem.side) == ("consent_expired", Side.SOURCE)
    assert len(office.access.given_back) == 1
    assert len(invitations(office)) == 4, "one at the new mailbox, three at the old one"


def test_a_consent_of_one_owner_while_the_worker_asks_both_is_not_slept_over(office: Office) -> None:
    _, import_ = placed(office, into(asking()))
    work_while_the_owner_signs_in(office, import_.id)
    assert office.import_(import_.id).not_before is None
    handle_ring(office.deps, import_.id)
    waiting = office.import_(import_.id)
    assert waiting.problem is not None
    assert waiting.problem.side is Side.DESTINATION


def test_a_replaced_refresh_token_of_the_destination_is_kept(office: Office) -> None:
    office.access.rotates = True
    _, import_ = placed(office, into())
    sign_in(office, import_.id, side=Side.DESTINATION)
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    before = open_grants(office.deps, import_.id, sealed)
    office.work(import_.id, deadlines=replace(office.deps.deadlines, leg=timedelta(0)))
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    after = open_grants(office.deps, import_.id, sealed)
    assert after.source == before.source
    assert isinstance(before.destination, OAuthGrant)
    assert isinstance(after.destination, OAuthGrant)
    assert before.destination != after.destination
    assert after.destination.refresh_token.reveal() not in office.access.withdrawn
    assert office.work(import_.id).state is State.COMPLETE


def test_an_organisation_lets_mail_in_for_who_runs_the_installation(office: Office) -> None:
    office.access.organisations["google"] = frozenset({"new.example"})
    _, import_ = placed(office, into())
    assert import_.problem is not None
    assert import_.problem.side is Side.DESTINATION, "its owner is asked"
    cancel(office.deps, import_.id)
    _, import_ = placed(office, into(), organisation=True)
    assert import_.state is State.QUEUED
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    assert open_grants(office.deps, import_.id, sealed).destination == OrganisationGrant("google")
    assert office.work(import_.id).state is State.COMPLETE


def test_a_consent_is_not_given_back_while_another_import_fills_the_mailbox(office: Office) -> None:
    _, first = placed(office, into())
    other = replace(SOURCE, login="other")
    _, second = placed(office, into(replace(a_row(), source=other)))
    office.sessions.mailboxes[other.key] = office.old
    for import_ in (first, second):
        sign_in(office, import_.id, side=Side.DESTINATION)
    office.work(first.id)
    assert not office.access.given_back
    office.work(second.id)
    assert len(office.access.given_back) == 1


# --- Reminded, given up ------------------------------------------------------------------------------


def test_reminders_come_after_two_and_five_days_and_the_end_after_fourteen(office: Office) -> None:
    began = office.clock.now()
    _, import_ = placed(office)
    days = []
    while office.import_(import_.id).state is State.WAITING:
        days.append((office.import_(import_.id).not_before or began) - began)
        office.work(import_.id)
    assert days == [2 * DAY, 5 * DAY, 14 * DAY]
    first, *reminders = invitations(office)
    assert not first.subject.startswith("Reminder")
    assert [mail.subject[:8] for mail in reminders] == ["Reminder"] * 2
    ended = office.import_(import_.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.STOPPED, "consent_expired")
    assert exit_code(ended) is ExitCode.LOGIN
    told = office.store.notices(f"import:{import_.id}")
    assert "Nobody signed in with Google for ada@old.example" in told[0].text.replace("\n", " ")
    assert office.store.grants(import_.id) is None


def test_a_link_that_has_run_out_is_gone_even_before_a_worker_looks(office: Office) -> None:
    _, import_ = placed(office)
    token = token_of(office, import_.id)
    question = owner_consent.begin(office.deps, token)
    office.clock.sleep(14 * 86_400)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.find_prompt(office.deps, token)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, question.state, office.access.sign_in(question, SOURCE.address))


def test_many_looks_write_each_mail_once(office: Office) -> None:
    _, import_ = placed(office)
    for _ in range(3):
        office.store.update_import(replace(office.import_(import_.id), not_before=None))
        handle_ring(office.deps, import_.id)
    assert len(invitations(office)) == 1


def test_the_schedule_fits_a_short_time_too(office: Office) -> None:
    asked = office.clock.now()
    assert mails_due(asked, asked) == 1
    assert next_look(asked, asked, asked + DAY) == asked + DAY
    assert next_look(asked, asked + 2 * DAY, asked + 5 * DAY) == asked + 5 * DAY
    assert mails_due(asked, asked + 13 * DAY) == 3


def test_a_cancelled_import_asks_nobody_any_more(office: Office) -> None:
    _, import_ = placed(office)
    token = token_of(office, import_.id)
    cancel(office.deps, import_.id)
    assert office.import_(import_.id).state is State.CANCELLED
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.find_prompt(office.deps, token)
    assert owner_consent.links(office.deps, [office.import_(import_.id)]) == {}


def test_where_nobody_can_be_asked_any_more_the_import_says_so(office: Office) -> None:
    _, import_ = placed(office)
    office.access.open_at = frozenset()
    ended = office.work(import_.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.STOPPED, "grant_expired")
    assert "not set up for signing in with Google" in ended.problem.message


# --- Organisations and passwords ----------------------------------------------------------------------


def organised(office: Office) -> None:
    office.access.organisations["google"] = frozenset({"old.example"})


def test_an_organisation_s_grant_runs_without_anybody(office: Office) -> None:
    organised(office)
    _, import_ = placed(office, organisation=True)
    assert import_.state is State.QUEUED
    assert not invitations(office)
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    assert open_grants(office.deps, import_.id, sealed).source == OrganisationGrant("google")
    assert office.work(import_.id).state is State.COMPLETE


def test_only_who_runs_the_installation_gets_into_an_organisation(office: Office) -> None:
    organised(office)
    _, import_ = placed(office)
    assert import_.problem is not None
    assert import_.problem.code == "consent_needed"


def test_the_same_row_again_is_under_way_and_a_new_destination_password_keeps_the_consent(
    office: Office,
) -> None:
    _, import_ = placed(office)
    assert placed(office) == (RowOutcome.UNDER_WAY, import_)
    sign_in(office, import_.id)
    fate, _ = placed(office, replace(asking(), destination_password=Secret("other")))
    assert fate is RowOutcome.PASSWORD_UPDATED
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    opened = open_grants(office.deps, import_.id, sealed)
    assert isinstance(opened.source, OAuthGrant)
    assert opened.source.refresh_token.reveal()
    assert opened.destination == PasswordGrant(Secret("other"))


def test_an_app_password_in_place_of_the_consent_starts_the_import_and_ends_the_link(office: Office) -> None:
    _, import_ = placed(office)
    token = token_of(office, import_.id)
    fate, _ = placed(office, a_row())
    assert fate is RowOutcome.PASSWORD_UPDATED
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.find_prompt(office.deps, token)
    assert office.work(import_.id).state is State.COMPLETE


# --- Afterwards -------------------------------------------------------------------------------------


def test_the_consent_is_given_back_at_the_end(office: Office) -> None:
    _, import_ = placed(office)
    sign_in(office, import_.id)
    office.work(import_.id)
    assert [type(grant) for grant in office.access.given_back] == [OAuthGrant]


def test_a_consent_is_not_given_back_while_another_import_reads_the_mailbox(office: Office) -> None:
    _, first = placed(office)
    other = replace(DESTINATION, login="other")
    _, second = placed(office, replace(asking(), destination=other))
    office.sessions.mailboxes[other.key] = office.new
    for import_ in (first, second):
        sign_in(office, import_.id)
    office.work(first.id)
    assert not office.access.given_back
    office.work(second.id)
    assert len(office.access.given_back) == 1


@pytest.mark.parametrize("how", ["password", "setting", "organisation", "key"])
def test_what_nobody_consented_to_is_not_given_back(office: Office, how: str) -> None:
    organised(office)
    row = a_row() if how == "password" else asking()
    _, import_ = placed(office, row, organisation=how == "organisation")
    if how == "setting":
        sign_in(office, import_.id)
        office.deps = replace(office.deps, revokes_consents=False)
    if how == "key":
        sign_in(office, import_.id)
        office.deps = replace(office.deps, vault=OTHER_VAULT)
    assert not consents_to_revoke(office.deps, import_)


def test_a_replaced_refresh_token_is_kept_before_it_is_used(office: Office) -> None:
    office.access.rotates = True
    _, import_ = placed(office)
    sign_in(office, import_.id)
    office.sessions.trouble = ConnectionError("the leg ends here")
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    before = open_grants(office.deps, import_.id, sealed).source
    office.sessions.trouble = None
    office.work(import_.id, deadlines=replace(office.deps.deadlines, leg=timedelta(0)))
    assert isinstance(before, OAuthGrant)
    assert before.refresh_token.reveal() in office.access.withdrawn
    assert office.work(import_.id).state is State.COMPLETE
    [given_back] = office.access.given_back
    assert isinstance(given_back, OAuthGrant)
    assert given_back.refresh_token.reveal() not in office.access.withdrawn


def test_a_consent_that_was_withdrawn_stops_the_import_with_what_to_do(office: Office) -> None:
    _, import_ = placed(office)
    sign_in(office, import_.id)
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    source = open_grants(office.deps, import_.id, sealed).source
    assert isinstance(source, OAuthGrant)
    office.access.withdrawn.add(source.refresh_token.reveal())
    ended = office.work(import_.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.STOPPED, "grant_expired")
    fate, again = placed(office)
    assert fate is RowOutcome.STARTED
    sign_in(office, again.id)
    assert office.work(again.id).state is State.COMPLETE


@pytest.mark.parametrize("organisation", [False, True])
def test_a_token_opens_no_other_mailbox_than_the_one_that_was_asked_for(organisation: bool) -> None:
    """At Microsoft the owner's token opens shared mailboxes too, and an organisation's opens all."""
    domain = SOURCE.address.rpartition("@")[2]
    organisations = {"google": frozenset({domain})} if organisation else {}
    office = Office(access=MemoryAccess(frozenset({"google"}), organisations))
    row = asking(replace(a_row(), source=replace(SOURCE, login="board@old.example")))
    _, import_ = placed(office, row, organisation=organisation)
    if not organisation:
        sign_in(office, import_.id)
    stopped = office.work(import_.id)
    assert stopped.state is State.STOPPED
    assert stopped.problem is not None
    assert (stopped.problem.code, stopped.problem.side) == ("login_rejected", Side.SOURCE)
    assert "board@old.example" in stopped.problem.message


def test_a_consent_that_comes_too_late_ends_nobody_elses(office: Office) -> None:
    """At Google, giving one consent back ends all that this owner gave to this installation."""
    _, first = placed(office)
    sign_in(office, first.id)
    elsewhere = replace(DESTINATION, login="grace@new.example")
    _, second = placed(office, replace(asking(), destination=elsewhere))
    question = owner_consent.begin(office.deps, token_of(office, second.id))
    answer = office.access.sign_in(question, SOURCE.address)
    answered = office.access.complete_sign_in

    def meanwhile(*given: Any) -> Any:
        owner_consent.begin(office.deps, token_of(office, second.id))  # in another window
        return answered(*given)

    office.access.complete_sign_in = meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, question.state, answer)
    assert not office.access.given_back
    cancel(office.deps, first.id)
    office.access.given_back.clear()
    question = owner_consent.begin(office.deps, token_of(office, second.id))
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, question.state, office.access.sign_in(question, SOURCE.address))
    assert len(office.access.given_back) == 1, "nobody lives on it"
