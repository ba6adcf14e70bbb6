"""Owner consent: invitations, reminders, consent and expiry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from cryptography.fernet import Fernet

from importer.adapters.fernet_vault import FernetVault
from importer.cli.import_list import wait_reason
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.people.consent_schedule import OwnerWait, mails_due, next_look, owner_wait
from importer.domain.reporting.report import ExitCode, exit_code
from importer.engine.leg_context import TransferLimits
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.report_json import report_json
from importer.i18n.translations import texts
from importer.ports.leases import Lease
from importer.ports.notices import MailOutcome, MailState, Notice
from importer.ports.process import DatabaseUnavailable
from importer.service.access import consent_requests, owner_consent
from importer.service.access.sealed_grants import consents_to_revoke, open_grants
from importer.service.imports.control import cancel, pause, resume
from importer.service.imports.submit import RowOutcome, submit
from importer.service.legs.run_leg import handle_ring
from importer.service.notify.deliver_mail import send_due_mail
from importer.service.queries import explain
from importer.service.tick import Tick
from importer.web.api.response_schemas import import_out
from importer.web.live_progress import Snapshot
from importer.web.view_models import import_view
from providers.endpoint import Secret
from providers.errors import LoginRejected, Side
from providers.grants import OAuthGrant, OrganisationGrant, PasswordGrant
from tests.english import said
from tests.fakes.mailbox_access import MemoryAccess
from tests.fakes.store import MemoryStore
from tests.unit.test_service import DESTINATION, SOURCE, Mailer, Office, a_row

DAY = timedelta(days=1)
OTHER_VAULT = FernetVault([Secret(Fernet.generate_key().decode())])


@pytest.fixture
def office() -> Office:
    return Office(access=MemoryAccess(frozenset({"google"})))


def row_with_source_consent(row: Row | None = None) -> Row:
    return replace(row or a_row(), source_password=None, source_sign_in="google")


def row_with_destination_consent(row: Row | None = None) -> Row:
    """A row whose destination is opened by its owner's consent."""
    return replace(row or a_row(), destination_password=None, destination_sign_in="google")


def submit_row(
    office: Office, row: Row | None = None, *, organisation: bool = False
) -> tuple[RowOutcome, Import]:
    [submitted] = submit(
        office.deps, Actor(organisation=organisation), [row or row_with_source_consent()]
    ).rows
    return submitted.outcome, office.import_(submitted.import_.id)


def token_of(office: Office, import_id: ImportId, side: Side = Side.SOURCE) -> str:
    link = consent_requests.links(office.deps, [office.import_(import_id)])[import_id][side]
    assert link.startswith("https://haul.example/consent/")
    return link.rpartition("/")[2]


def sign_in(office: Office, import_id: ImportId, mailbox: str = "", side: Side = Side.SOURCE) -> Import:
    question = owner_consent.begin(office.deps, token_of(office, import_id, side))
    answer = office.access.sign_in(question, mailbox or office.import_(import_id).account(side).address)
    return owner_consent.complete(office.deps, question.state, answer)


def work_while_the_owner_signs_in(office: Office, import_id: ImportId) -> None:
    """Run a leg two days later. The source's owner signs in just before the leg stores the next wait."""
    question = owner_consent.begin(office.deps, token_of(office, import_id))
    answer = office.access.sign_in(question, SOURCE.address)
    office.clock.sleep(2 * 86_400)

    class ConsentBeforeUpdate(MemoryStore):
        def update_import(self, changed: Import, lease: Lease | None = None) -> None:
            if changed.state is State.WAITING and Side.SOURCE in self.consents_of(import_id):
                owner_consent.complete(office.deps, question.state, answer)
            super().update_import(changed, lease)

    quick = ConsentBeforeUpdate()
    quick.__dict__.update(office.store.__dict__)
    office.store = quick
    office.deps = replace(office.deps, store=quick)
    handle_ring(office.deps, import_id)


def invitations(office: Office) -> list[Notice]:
    return list(office.store.notices("consent:"))


# --- Invitations -------------------------------------------------------------------------------------


def test_the_owner_gets_a_link_and_the_import_waits(office: Office) -> None:
    outcome, import_ = submit_row(office)
    assert outcome is RowOutcome.STARTED
    assert import_.problem is not None
    assert (import_.state, import_.problem.code) == (State.WAITING, "consent_needed")
    assert import_.not_before == office.clock.now() + 2 * DAY
    assert exit_code(import_) is ExitCode.WAITING
    [mail] = invitations(office)
    assert mail.recipient == SOURCE.address
    link = f"https://haul.example/consent/{token_of(office, import_.id)}"
    sent = consent_requests.with_consent_link(office.deps, mail)
    assert sent is not None
    assert link in sent.text
    assert f'href="{link}"' in sent.html
    assert DESTINATION.address in mail.text
    prompt = owner_consent.find_prompt(office.deps, token_of(office, import_.id))
    assert (prompt.import_.id, prompt.provider_name) == (import_.id, "Google")
    assert prompt.expires_at == office.clock.now() + 14 * DAY


def test_the_token_is_stored_only_hashed_and_sealed(office: Office) -> None:
    _, import_ = submit_row(office)
    token = token_of(office, import_.id)
    request = office.store.consents_of(import_.id)[Side.SOURCE]
    assert len(token) >= 43  # 256 bits
    assert token not in repr(request) + repr(invitations(office))


def test_no_connection_is_opened_before_the_owner_signs_in(office: Office) -> None:
    _, import_ = submit_row(office)
    office.sessions.trouble = AssertionError("nobody was to connect")
    handle_ring(office.deps, import_.id)
    assert office.import_(import_.id).state is State.WAITING


def test_a_worker_sends_the_invitation_after_a_crash_of_the_submitter(office: Office) -> None:
    class Killed(MemoryStore):
        """Simulates a crash at the first lease."""

        killed = False

        def acquire(self, *arguments: Any) -> Lease | None:
            if not self.killed:
                self.killed = True
                raise KeyboardInterrupt
            return super().acquire(*arguments)

    office = Office(access=office.access, store=Killed())
    with pytest.raises(KeyboardInterrupt):
        submit_row(office)
    Tick(office.deps)()
    [import_id] = office.queue.take()
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.WAITING
    assert len(invitations(office)) == 1


def test_other_rows_do_not_wait(office: Office) -> None:
    other_row = replace(a_row(line=2), destination=replace(DESTINATION, login="other"))
    office.sessions.mailboxes[other_row.destination.key] = office.new
    [waits, goes] = submit(office.deps, Actor(), [row_with_source_consent(), other_row]).rows
    assert office.work(goes.import_.id).state is State.COMPLETE
    assert office.import_(waits.import_.id).state is State.WAITING


def test_a_mail_is_sent_with_its_link_unless_the_owner_has_signed_in(office: Office) -> None:
    sent: list[Notice] = []

    class RecordingMailer(Mailer):
        def send(self, notice: Notice) -> tuple[MailOutcome, str]:
            sent.append(notice)
            return super().send(notice)

    assert office.deps.outgoing_mail is not None
    office.deps = replace(
        office.deps, outgoing_mail=replace(office.deps.outgoing_mail, mailer=RecordingMailer())
    )
    _, import_ = submit_row(office)
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


def test_a_mail_whose_token_cannot_be_decrypted_waits_for_the_key(office: Office) -> None:
    submit_row(office)
    right = office.deps.vault
    office.deps = replace(office.deps, vault=OTHER_VAULT)
    assert send_due_mail(office.deps) == 0
    office.deps = replace(office.deps, vault=right)
    office.clock.sleep(60)
    assert send_due_mail(office.deps) == 1


def test_a_mail_is_not_lost_with_the_database_that_holds_its_link(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_row(office)

    def lost(_import_id: ImportId) -> NoReturn:
        raise DatabaseUnavailable("connection refused")

    with monkeypatch.context() as patched:
        patched.setattr(office.store, "consents_of", lost)
        with pytest.raises(DatabaseUnavailable):
            send_due_mail(office.deps)
    assert send_due_mail(office.deps) == 1


# --- Consent ----------------------------------------------------------------------------------------


def test_a_consent_starts_the_import_and_its_link_works_once(office: Office) -> None:
    _, import_ = submit_row(office)
    office.queue.take()
    token = token_of(office, import_.id)
    after = sign_in(office, import_.id)
    assert (after.problem, after.not_before) == (None, None)
    assert office.queue.take() == [import_.id]
    for again in (owner_consent.find_prompt, owner_consent.begin):
        with pytest.raises(owner_consent.LinkGone):
            again(office.deps, token)
    handle_ring(office.deps, import_.id)
    assert office.import_(import_.id).state is State.COMPLETE
    assert office.store.grants(import_.id) is None
    assert not office.store.consents_of(import_.id)


def test_another_mailbox_is_rejected_and_the_link_still_works(office: Office) -> None:
    _, import_ = submit_row(office)
    with pytest.raises(LoginRejected, match=r"signed_in=grace@old\.example"):
        sign_in(office, import_.id, "grace@old.example")
    assert office.import_(import_.id).state is State.WAITING
    sign_in(office, import_.id)
    assert office.work(import_.id).state is State.COMPLETE


def test_only_the_latest_sign_in_can_be_completed(office: Office) -> None:
    _, import_ = submit_row(office)
    token = token_of(office, import_.id)
    first, second = owner_consent.begin(office.deps, token), owner_consent.begin(office.deps, token)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, first.state, office.access.sign_in(first, SOURCE.address))
    owner_consent.complete(office.deps, second.state, office.access.sign_in(second, SOURCE.address))


@pytest.mark.parametrize("state", ["", "guessed"])
def test_an_unknown_state_completes_nothing(office: Office, state: str) -> None:
    submit_row(office)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, state, {"state": state, "code": "x"})


def test_an_unknown_link_is_rejected(office: Office) -> None:
    submit_row(office)
    for token in ("", "guessed", "\ud800"):
        with pytest.raises(owner_consent.LinkGone):
            owner_consent.find_prompt(office.deps, token)


def test_a_consent_during_a_reminder_leg_ends_the_wait(office: Office) -> None:
    _, import_ = submit_row(office)
    work_while_the_owner_signs_in(office, import_.id)
    assert office.import_(import_.id).not_before is None
    handle_ring(office.deps, import_.id)
    assert office.import_(import_.id).state is State.COMPLETE


def test_a_paused_import_stores_the_consent_and_stays_paused(office: Office) -> None:
    _, import_ = submit_row(office)
    pause(office.deps, import_.id)
    sign_in(office, import_.id)
    assert office.import_(import_.id).state is State.PAUSED
    resume(office.deps, import_.id)
    assert office.work(import_.id).state is State.COMPLETE


# --- Consent for the destination ------------------------------------------------------------------------


def awaited_sides(office: Office, import_id: ImportId) -> list[Side]:
    return [*consent_requests.links(office.deps, [office.import_(import_id)]).get(import_id, {})]


def test_the_destination_owner_is_invited_and_consents(office: Office) -> None:
    _, import_ = submit_row(office, row_with_destination_consent())
    assert import_.problem is not None
    assert (import_.problem.code, import_.problem.side) == ("consent_needed", Side.DESTINATION)
    assert DESTINATION.address in said(import_.problem)
    [mail] = invitations(office)
    assert mail.recipient == DESTINATION.address
    assert f"into your mailbox {DESTINATION.address}" in mail.text.replace("\n", " ")
    assert "may read" not in mail.text + mail.html
    assert awaited_sides(office, import_.id) == [Side.DESTINATION]
    token = token_of(office, import_.id, Side.DESTINATION)
    prompt = owner_consent.find_prompt(office.deps, token)
    assert (prompt.is_destination, prompt.mailbox) == (True, DESTINATION.address)
    sent = consent_requests.with_consent_link(office.deps, mail)
    assert sent is not None
    assert token in sent.text
    with pytest.raises(LoginRejected, match=r"signed_in=ada@old\.example"):
        sign_in(office, import_.id, SOURCE.address, Side.DESTINATION)
    sign_in(office, import_.id, side=Side.DESTINATION)
    assert consent_requests.with_consent_link(office.deps, mail) is None
    assert office.work(import_.id).state is State.COMPLETE
    assert [type(grant) for grant in office.access.given_back] == [OAuthGrant]


@pytest.mark.parametrize("first", Side)
def test_both_owners_are_invited_and_the_import_starts_when_both_consent(office: Office, first: Side) -> None:
    _, import_ = submit_row(office, row_with_destination_consent(row_with_source_consent()))
    assert awaited_sides(office, import_.id) == [*Side]
    assert {mail.recipient for mail in invitations(office)} == {SOURCE.address, DESTINATION.address}
    assert all("The owner of the other mailbox is asked as well" in mail.html for mail in invitations(office))
    assert import_.problem is not None
    assert import_.problem.side is Side.SOURCE
    assert "The owner of the other mailbox has to sign in too" in said(import_.problem)
    office.queue.take()
    second = next(side for side in Side if side is not first)
    sign_in(office, import_.id, side=first)
    assert office.queue.take() == [import_.id]
    office.sessions.trouble = AssertionError("nobody was to connect")
    handle_ring(office.deps, import_.id)
    waiting = office.import_(import_.id)
    assert waiting.problem is not None
    assert (waiting.state, waiting.problem.code, waiting.problem.side) == (
        State.WAITING,
        "consent_needed",
        second,
    )
    assert "other mailbox" not in said(waiting.problem)
    assert waiting.not_before is not None
    assert awaited_sides(office, import_.id) == [second]
    office.sessions.trouble = None
    sign_in(office, import_.id, side=second)
    assert office.work(import_.id).state is State.COMPLETE
    assert len(office.access.given_back) == 2


def test_a_link_opens_one_side_only(office: Office) -> None:
    """One person may own both mailboxes, with the same address."""
    row = row_with_destination_consent(
        row_with_source_consent(replace(a_row(), destination=replace(DESTINATION, address=SOURCE.address)))
    )
    row = replace(row, destination=replace(row.destination, login=SOURCE.address))
    _, import_ = submit_row(office, row)
    assert len(invitations(office)) == 2
    sign_in(office, import_.id, side=Side.DESTINATION)
    assert awaited_sides(office, import_.id) == [Side.SOURCE]


def test_if_one_owner_never_consents_the_other_consent_is_revoked(office: Office) -> None:
    _, import_ = submit_row(office, row_with_destination_consent(row_with_source_consent()))
    sign_in(office, import_.id, side=Side.DESTINATION)
    while office.import_(import_.id).state is State.WAITING:
        office.work(import_.id)
    ended = office.import_(import_.id)
    assert ended.problem is not None
    assert (ended.problem.code, ended.problem.side) == ("consent_expired", Side.SOURCE)
    assert len(office.access.given_back) == 1
    assert len(invitations(office)) == 4, "one for the destination, three for the source"


def test_a_consent_of_one_owner_during_a_leg_ends_the_wait(office: Office) -> None:
    _, import_ = submit_row(office, row_with_destination_consent(row_with_source_consent()))
    work_while_the_owner_signs_in(office, import_.id)
    assert office.import_(import_.id).not_before is None
    handle_ring(office.deps, import_.id)
    waiting = office.import_(import_.id)
    assert waiting.problem is not None
    assert waiting.problem.side is Side.DESTINATION


def begin(office: Office, import_id: ImportId) -> None:
    """Run a leg that copies some of the six messages."""
    office.work(
        import_id,
        deadlines=replace(office.deps.deadlines, leg=timedelta(0)),
        transfer_limits=TransferLimits(batch_messages=2),
    )


def test_a_rotated_refresh_token_of_the_destination_is_stored(office: Office) -> None:
    office.access.rotates = True
    _, import_ = submit_row(office, row_with_destination_consent())
    sign_in(office, import_.id, side=Side.DESTINATION)
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    before = open_grants(office.deps, import_.id, sealed)
    begin(office, import_.id)
    sealed = office.store.grants(import_.id)
    assert sealed is not None, "the first leg left some of the six messages"
    after = open_grants(office.deps, import_.id, sealed)
    assert after.source == before.source
    assert isinstance(before.destination, OAuthGrant)
    assert isinstance(after.destination, OAuthGrant)
    assert before.destination != after.destination
    assert after.destination.refresh_token.reveal() not in office.access.withdrawn
    assert office.work(import_.id).state is State.COMPLETE


def test_organisation_access_to_the_destination_is_for_administrators(office: Office) -> None:
    office.access.organisations["google"] = frozenset({"new.example"})
    _, import_ = submit_row(office, row_with_destination_consent())
    assert import_.problem is not None
    assert import_.problem.side is Side.DESTINATION, "its owner is invited"
    cancel(office.deps, import_.id)
    _, import_ = submit_row(office, row_with_destination_consent(), organisation=True)
    assert import_.state is State.QUEUED
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    assert open_grants(office.deps, import_.id, sealed).destination == OrganisationGrant("google")
    assert office.work(import_.id).state is State.COMPLETE


def test_a_consent_is_not_revoked_while_another_import_writes_to_the_mailbox(office: Office) -> None:
    _, first = submit_row(office, row_with_destination_consent())
    other_source = replace(SOURCE, login="other")
    _, second = submit_row(office, row_with_destination_consent(replace(a_row(), source=other_source)))
    office.sessions.mailboxes[other_source.key] = office.old
    for import_ in (first, second):
        sign_in(office, import_.id, side=Side.DESTINATION)
    office.work(first.id)
    assert not office.access.given_back
    office.work(second.id)
    assert len(office.access.given_back) == 1


# --- Reminders and expiry ----------------------------------------------------------------------------


def test_reminders_are_sent_after_two_and_five_days_and_the_link_expires_after_fourteen(
    office: Office,
) -> None:
    began = office.clock.now()
    _, import_ = submit_row(office)
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
    assert "There was no sign-in with Google for ada@old.example" in said(ended.problem)
    assert not office.store.notices(f"import:{import_.id}")  # no login succeeded, and there is no submitter
    assert office.store.grants(import_.id) is None


def test_an_expired_link_is_rejected_even_before_the_next_leg(office: Office) -> None:
    _, import_ = submit_row(office)
    token = token_of(office, import_.id)
    question = owner_consent.begin(office.deps, token)
    office.clock.sleep(14 * 86_400)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.find_prompt(office.deps, token)
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, question.state, office.access.sign_in(question, SOURCE.address))


def test_repeated_legs_send_each_mail_once(office: Office) -> None:
    _, import_ = submit_row(office)
    for _ in range(3):
        office.store.update_import(replace(office.import_(import_.id), not_before=None))
        handle_ring(office.deps, import_.id)
    assert len(invitations(office)) == 1


def test_the_schedule_works_for_short_lifetimes(office: Office) -> None:
    prompt = office.clock.now()
    assert mails_due(prompt, prompt) == 1
    assert next_look(prompt, prompt, prompt + DAY) == prompt + DAY
    assert next_look(prompt, prompt + 2 * DAY, prompt + 5 * DAY) == prompt + 5 * DAY
    assert mails_due(prompt, prompt + 13 * DAY) == 3


def test_a_cancelled_import_revokes_its_links(office: Office) -> None:
    _, import_ = submit_row(office)
    token = token_of(office, import_.id)
    cancel(office.deps, import_.id)
    assert office.import_(import_.id).state is State.CANCELLED
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.find_prompt(office.deps, token)
    assert consent_requests.links(office.deps, [office.import_(import_.id)]) == {}


def test_the_import_stops_if_sign_in_is_no_longer_set_up(office: Office) -> None:
    _, import_ = submit_row(office)
    office.access.open_at = frozenset()
    ended = office.work(import_.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.STOPPED, "grant_expired")
    assert "not set up for signing in with Google" in said(ended.problem)


# --- Organisations and passwords ----------------------------------------------------------------------


def set_up_organisation(office: Office) -> None:
    office.access.organisations["google"] = frozenset({"old.example"})


def test_an_organisation_grant_needs_no_owner_consent(office: Office) -> None:
    set_up_organisation(office)
    _, import_ = submit_row(office, organisation=True)
    assert import_.state is State.QUEUED
    assert not invitations(office)
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    assert open_grants(office.deps, import_.id, sealed).source == OrganisationGrant("google")
    assert office.work(import_.id).state is State.COMPLETE


def test_organisation_access_to_the_source_is_for_administrators(office: Office) -> None:
    set_up_organisation(office)
    _, import_ = submit_row(office)
    assert import_.problem is not None
    assert import_.problem.code == "consent_needed"


def test_a_repeated_row_is_under_way_and_a_new_destination_password_keeps_the_consent(
    office: Office,
) -> None:
    _, import_ = submit_row(office)
    assert submit_row(office) == (RowOutcome.UNDER_WAY, import_)
    sign_in(office, import_.id)
    outcome, _ = submit_row(office, replace(row_with_source_consent(), destination_password=Secret("other")))
    assert outcome is RowOutcome.PASSWORD_UPDATED
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    opened = open_grants(office.deps, import_.id, sealed)
    assert isinstance(opened.source, OAuthGrant)
    assert opened.source.refresh_token.reveal()
    assert opened.destination == PasswordGrant(Secret("other"))


def test_an_app_password_starts_the_import_and_revokes_the_link(office: Office) -> None:
    _, import_ = submit_row(office)
    token = token_of(office, import_.id)
    outcome, _ = submit_row(office, a_row())
    assert outcome is RowOutcome.PASSWORD_UPDATED
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.find_prompt(office.deps, token)
    assert office.work(import_.id).state is State.COMPLETE


# --- Revocation and errors --------------------------------------------------------------------------


def test_the_consent_is_revoked_at_the_end(office: Office) -> None:
    _, import_ = submit_row(office)
    sign_in(office, import_.id)
    office.work(import_.id)
    assert [type(grant) for grant in office.access.given_back] == [OAuthGrant]


def test_a_consent_is_not_revoked_while_another_import_reads_the_mailbox(office: Office) -> None:
    _, first = submit_row(office)
    other_destination = replace(DESTINATION, login="other")
    _, second = submit_row(office, replace(row_with_source_consent(), destination=other_destination))
    office.sessions.mailboxes[other_destination.key] = office.new
    for import_ in (first, second):
        sign_in(office, import_.id)
    office.work(first.id)
    assert not office.access.given_back
    office.work(second.id)
    assert len(office.access.given_back) == 1


def test_an_import_without_consent_does_not_keep_the_owners_consent_from_being_revoked(
    office: Office,
) -> None:
    """Anybody can submit an import that names the mailbox."""
    _, own = submit_row(office)
    elsewhere = replace(DESTINATION, login="mallory")
    for row in (row_with_source_consent(), a_row("garbage")):
        submit(
            office.deps, Actor(owner=f"mallory {row.source_sign_in}"), [replace(row, destination=elsewhere)]
        )
    sign_in(office, own.id)
    office.work(own.id)
    assert len(office.access.given_back) == 1


@pytest.mark.parametrize("how", ["password", "setting", "organisation", "key"])
def test_only_consents_are_revoked_and_only_if_configured(office: Office, how: str) -> None:
    set_up_organisation(office)
    row = a_row() if how == "password" else row_with_source_consent()
    _, import_ = submit_row(office, row, organisation=how == "organisation")
    if how == "setting":
        sign_in(office, import_.id)
        office.deps = replace(office.deps, revokes_consents=False)
    if how == "key":
        sign_in(office, import_.id)
        office.deps = replace(office.deps, vault=OTHER_VAULT)
    assert not consents_to_revoke(office.deps, import_)


def test_a_rotated_refresh_token_is_stored_before_its_use(office: Office) -> None:
    office.access.rotates = True
    _, import_ = submit_row(office)
    sign_in(office, import_.id)
    office.sessions.trouble = ConnectionError("the leg ends here")
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    before = open_grants(office.deps, import_.id, sealed).source
    office.sessions.trouble = None
    begin(office, import_.id)
    assert office.import_(import_.id).state is State.RUNNING
    assert isinstance(before, OAuthGrant)
    assert before.refresh_token.reveal() in office.access.withdrawn
    assert office.work(import_.id).state is State.COMPLETE
    [given_back] = office.access.given_back
    assert isinstance(given_back, OAuthGrant)
    assert given_back.refresh_token.reveal() not in office.access.withdrawn


def test_a_withdrawn_consent_stops_the_import_and_can_be_given_again(office: Office) -> None:
    _, import_ = submit_row(office)
    sign_in(office, import_.id)
    sealed = office.store.grants(import_.id)
    assert sealed is not None
    source = open_grants(office.deps, import_.id, sealed).source
    assert isinstance(source, OAuthGrant)
    office.access.withdrawn.add(source.refresh_token.reveal())
    ended = office.work(import_.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.STOPPED, "grant_expired")
    outcome, again = submit_row(office)
    assert outcome is RowOutcome.STARTED
    sign_in(office, again.id)
    assert office.work(again.id).state is State.COMPLETE


@pytest.mark.parametrize("organisation", [False, True])
def test_a_token_opens_only_the_requested_mailbox(organisation: bool) -> None:
    """At Microsoft an owner's token also opens shared mailboxes, and an organisation's opens all of them."""
    domain = SOURCE.address.rpartition("@")[2]
    organisations = {"google": frozenset({domain})} if organisation else {}
    office = Office(access=MemoryAccess(frozenset({"google"}), organisations))
    row = row_with_source_consent(replace(a_row(), source=replace(SOURCE, login="board@old.example")))
    _, import_ = submit_row(office, row, organisation=organisation)
    if not organisation:
        sign_in(office, import_.id)
    stopped = office.work(import_.id)
    assert stopped.state is State.STOPPED
    assert stopped.problem is not None
    assert (stopped.problem.code, stopped.problem.side) == ("login_rejected", Side.SOURCE)
    assert "board@old.example" in said(stopped.problem)


def test_a_late_consent_does_not_revoke_those_of_other_imports(office: Office) -> None:
    """At Google, revoking one consent revokes all consents of the owner for this installation."""
    _, first = submit_row(office)
    sign_in(office, first.id)
    elsewhere = replace(DESTINATION, login="grace@new.example")
    _, second = submit_row(office, replace(row_with_source_consent(), destination=elsewhere))
    question = owner_consent.begin(office.deps, token_of(office, second.id))
    answer = office.access.sign_in(question, SOURCE.address)
    complete_sign_in = office.access.complete_sign_in

    def complete_late(*arguments: Any) -> Any:
        owner_consent.begin(office.deps, token_of(office, second.id))  # in another window
        return complete_sign_in(*arguments)

    office.access.complete_sign_in = complete_late  # type: ignore[method-assign, assignment]
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, question.state, answer)
    assert not office.access.given_back
    cancel(office.deps, first.id)
    office.access.given_back.clear()
    question = owner_consent.begin(office.deps, token_of(office, second.id))
    with pytest.raises(owner_consent.LinkGone):
        owner_consent.complete(office.deps, question.state, office.access.sign_in(question, SOURCE.address))
    assert len(office.access.given_back) == 1, "no import uses it"


def test_while_it_waits_everyone_is_told_until_when_and_when_the_next_reminder_goes(office: Office) -> None:
    _, import_ = submit_row(office)
    waiting = office.import_(import_.id)
    until, reminder = office.clock.now() + 14 * DAY, office.clock.now() + 2 * DAY
    assert owner_wait(waiting) == OwnerWait(until, reminder)
    explanation = explain(office.deps, waiting)
    told = explanation_texts(texts("en"), explanation)
    sentences = [
        outcome_text(texts("en"), explanation.report.outcome),
        told.sentence,
        wait_reason(texts("en"), waiting, office.clock.now()),
    ]
    last, next_ = texts("en").instant(until), texts("en").instant(reminder)
    for sentence in sentences:
        assert f"Waits for the owner until {last}; next reminder: {next_}." in sentence
    shown = import_view(texts("en"), Snapshot(waiting), office.clock.now()).sentence
    assert f"valid until {last}; after that this import ends. Next reminder: {next_}. It " in shown
    for sentence in (*sentences, shown):
        assert str(until.year) not in sentence, "the same day in two forms"
        assert "continues automatically" not in sentence
    facts = dict(told.facts)
    assert "continues at" not in facts
    assert facts["next reminder"] == texts("en").moment(reminder)
    assert explanation.until == until
    wait = {"until": until.isoformat(), "next_reminder": reminder.isoformat()}
    assert report_json(texts("en"), explanation.report)["owner_wait"] == wait
    api = import_out(texts("en"), waiting, office.clock.now()).owner_wait
    assert api is not None
    assert (api.until, api.next_reminder) == (until, reminder)
