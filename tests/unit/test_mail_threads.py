"""Mails and webhook calls take one thread of a worker each, however long their servers are silent."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from dramatiq.brokers.stub import StubBroker

from importer.domain.model import State
from importer.ports.notices import MailOutcome, MailState, Notice
from importer.ports.queue_names import SEND_MAIL
from importer.service.notify.deliver_mail import LONGEST_RUN_S, send_due_mail
from importer.service.notify.one_at_a_time import OneAtATime
from importer.worker import declare_actors
from tests.unit.test_service import Mailer, Office


class SilentServer(Mailer):
    """Answers nothing until `answers` is set."""

    def __init__(self) -> None:
        self.asked, self.answers = threading.Event(), threading.Event()
        self.waiting = self.most_waiting = 0

    def send(self, notice: Notice) -> tuple[MailOutcome, str]:
        self.waiting += 1
        self.most_waiting = max(self.waiting, self.most_waiting)
        if self.waiting == 1:
            self.asked.set()
            assert self.answers.wait(60)
        self.waiting -= 1
        return super().send(notice)


def test_a_silent_mail_server_holds_one_thread_of_a_worker() -> None:
    office, server = Office(), SilentServer()
    assert office.deps.outgoing_mail is not None
    office.deps = replace(office.deps, outgoing_mail=replace(office.deps.outgoing_mail, mailer=server))
    _, import_id = office.submit()
    assert office.work(import_id).state is State.COMPLETE
    assert len(office.store.notices()) > 1
    broker = StubBroker()
    declare_actors(broker, office.deps)
    ring = broker.get_actor(SEND_MAIL).fn
    first = threading.Thread(target=ring)
    first.start()
    assert server.asked.wait(60)
    ring()
    server.answers.set()
    first.join()
    assert server.most_waiting == 1
    assert {notice.state for notice in office.store.notices()} == {MailState.SENT}


class SlowServer(Mailer):
    """Gives up after half of the time for which a run may last."""

    def __init__(self, office: Office) -> None:
        self.office, self.tried = office, 0

    def send(self, _notice: Notice) -> tuple[MailOutcome, str]:
        self.tried += 1
        self.office.clock.sleep(LONGEST_RUN_S / 2 + 1)
        return MailOutcome.RETRY, "no reply"


def test_a_run_ends_before_the_queue_ends_it_in_the_middle_of_a_mail() -> None:
    office = Office()
    server = SlowServer(office)
    assert office.deps.outgoing_mail is not None
    office.deps = replace(office.deps, outgoing_mail=replace(office.deps.outgoing_mail, mailer=server))
    mail = Notice("k", "ada@new.example", "s", "t", "h", "<m>", office.clock.now())
    office.store.post([replace(mail, key=f"k{number}") for number in range(3)])
    send_due_mail(office.deps)
    assert server.tried == 2
    assert {notice.state for notice in office.store.notices()} == {MailState.PENDING}


def test_work_that_is_asked_for_meanwhile_is_done_once_more() -> None:
    done: list[int] = []

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            each()
            each()

    each = OneAtATime(work)
    each()
    assert done == [0, 1]
    each()
    assert done == [0, 1, 2]


def test_work_that_failed_is_done_again() -> None:
    errors = [OSError("away")]

    def work() -> None:
        if errors:
            raise errors.pop()

    each = OneAtATime(work)
    with pytest.raises(OSError, match="away"):
        each()
    each()
    assert not errors
