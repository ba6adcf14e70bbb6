"""The rehearsal servers and the checker, which all other tests rely on, work as expected."""

from __future__ import annotations

import contextlib
import imaplib
import smtplib
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

import pytest
import redis

from providers.endpoint import server_url
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare, main
from tests.rehearsal.corpus import corpus, folder_paths
from tests.rehearsal.cyrus import cyrus, cyrus_lacks
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, FolderPath, Stored, connect, decode_utf7, encode_utf7
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.ports import PATIENCE_S, free_ports
from tests.rehearsal.pymap import Pymap
from tests.rehearsal.sample import EMPTY_FOLDERS, sample_mailbox
from tests.rehearsal.smtp import SmtpCatcher
from tests.rehearsal.snapshot import Mailbox, Seen
from tests.rehearsal.valkey import Valkey, valkey

_SOME_DATE = datetime(2020, 2, 29, 12, 0, 0, tzinfo=UTC)

# --- The sample and the corpus ------------------------------------------------------------------


def test_the_same_seed_gives_the_same_mailbox() -> None:
    assert list(sample_mailbox()) == list(sample_mailbox())
    assert list(corpus(300, seed=7)) == list(corpus(300, seed=7))
    assert list(corpus(300, seed=7)) != list(corpus(300, seed=8))


def test_the_sample_contains_difficult_messages() -> None:
    messages = list(sample_mailbox())
    contents = [message.content for message in messages]
    assert len(messages) >= 110
    assert {("Gesendet",), ("Projekte", "Zürich", "Brücke"), ("日本",)} <= {m.folder for m in messages}
    assert len(set(contents)) < len(contents)
    assert any(b"80% full" in content for content in contents)
    assert any(b"90% full" in content for content in contents)
    assert any(b"Message-ID" not in content for content in contents)
    assert any(not _is_utf8(content) for content in contents)
    assert any(len(content) > 200_000 for content in contents)
    assert min(message.internal_date.year for message in messages) == 1998
    assert len({message.internal_date.utcoffset() for message in messages}) >= 5
    assert {"$Forwarded", "work"} <= {flag for message in messages for flag in message.flags}


def test_the_corpus_has_the_documented_mixture() -> None:
    messages = list(corpus(10_000))
    contents = [message.content for message in messages]
    sizes = sorted(map(len, contents))
    assert len(messages) == 10_000
    assert {message.folder for message in messages} == set(folder_paths(12))
    assert 50 <= sum(b"Message-ID" not in content for content in contents) <= 150
    assert 120 <= sum(not _is_utf8(content) for content in contents) <= 280
    assert 5 <= len(contents) - len(set(contents)) <= 50
    assert 3_000 <= sizes[5_000] <= 5_000
    assert not any(b"\n" in content.replace(b"\r\n", b"") for content in contents)


def test_folder_names_survive_modified_utf7() -> None:
    for name in ("Entwürfe", "日本", "Q&A", "&", "~peter", "Réunions d'équipe 🎉", "plain"):
        assert decode_utf7(encode_utf7(name)) == name
    assert encode_utf7("~peter/mail/台北/日本語") == "~peter/mail/&U,BTFw-/&ZeVnLIqe-"  # RFC 3501, 5.1.3


# --- The mail hosts -----------------------------------------------------------------------------


@pytest.mark.parametrize("host_name", ["old_host", "new_host", "cyrus_host", "small_host"])
def test_a_host_stores_filled_messages_unchanged(
    host_name: str, request: pytest.FixtureRequest, make_user: MakeUser
) -> None:
    host = request.getfixturevalue(host_name)
    user = make_user(host)
    messages = list(sample_mailbox())
    assert user.fill(messages, EMPTY_FOLDERS) == len(messages)
    zones = host_name == "small_host"  # Dovecot stores the instant and answers in its own zone
    assert compare(_expected(messages, EMPTY_FOLDERS), user.read(), duplicates_once=False, zones=zones) == []


@pytest.mark.parametrize("host_name", ["new_host", "cyrus_host", "small_host"])
def test_a_host_upgrades_a_connection_with_starttls(
    host_name: str, request: pytest.FixtureRequest, make_user: MakeUser
) -> None:
    host = request.getfixturevalue(host_name)
    user = make_user(host)
    client = connect(host.starttls, user.account.login, user.password, host.ca_file)
    assert isinstance(client.sock, ssl.SSLSocket)
    assert client.select()[0] == "OK"
    client.logout()


@pytest.mark.parametrize("host_name", ["new_host", "cyrus_host", "small_host"])
def test_a_new_password_applies_immediately_and_a_wrong_one_is_refused_quickly(
    host_name: str, request: pytest.FixtureRequest, make_user: MakeUser
) -> None:
    host = request.getfixturevalue(host_name)
    login = make_user(host).account.login
    for password in ("first", "second"):
        host.add_user(login, password)
        connect(host.imaps, login, password, host.ca_file).logout()
    took_s: list[float] = []
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(imaplib.IMAP4.error):
            connect(host.imaps, login, "first", host.ca_file)
        took_s.append(time.monotonic() - started)
    assert min(took_s) < 2  # the delay that servers have by default would be in each


def test_a_server_without_multiappend_and_literal_plus_announces_neither(
    tmp_path: Path, ca: CertificateAuthority
) -> None:
    with dovecot(tmp_path, DovecotOptions(capability_minus=("MULTIAPPEND", "LITERAL+")), ca=ca) as server:
        user = new_user(server, "ada@old.example")
        client = connect(server.imaps, user.account.login, user.password, ca.ca_file)
        offered = client.capability()[1][0].decode().split()
        assert {"UIDPLUS", "NAMESPACE", "SPECIAL-USE"} <= set(offered)
        assert not {"MULTIAPPEND", "LITERAL+"} & set(offered)
        assert not {"MULTIAPPEND", "LITERAL+"} & set(client.capabilities)
        client.logout()
        messages = list(sample_mailbox())[-10:]
        user.fill(messages)
        assert compare(_expected(messages), user.read(), duplicates_once=False, zones=False) == []


def test_exceeding_the_quota_or_the_message_size_is_refused_with_its_code(
    tmp_path: Path, ca: CertificateAuthority
) -> None:
    options = DovecotOptions(mail_driver="mdbox", quota_bytes=100_000, max_mail_bytes=60_000)
    with dovecot(tmp_path, options, ca=ca) as server:
        user = new_user(server, "ada")
        client = connect(server.imaps, "ada", user.password, ca.ca_file)
        mail = b"Subject: big\r\n\r\n" + b"x" * 50_000
        assert client.append("INBOX", "", "", mail)[0] == "OK"
        assert b"[LIMIT]" in _text(client.append("INBOX", "", "", mail + mail))
        assert b"[OVERQUOTA]" in _text(client.append("INBOX", "", "", mail))
        client.logout()


def test_cyrus_keeps_its_mail_across_a_kill_and_leaves_no_process(
    tmp_path: Path, ca: CertificateAuthority
) -> None:
    if lacks := cyrus_lacks():
        pytest.skip(lacks)
    with cyrus(tmp_path, ca=ca) as server:
        user = new_user(server, "ada@mail.example")
        user.fill(list(sample_mailbox())[:10])
        before = user.read()
        server.kill()
        with pytest.raises(OSError, match="refused"):
            user.read()
        server.restart()
        assert compare(before, user.read(), duplicates_once=False) == []
        home = str(server.home)
        assert _processes_of(home)
        server.stop()
        assert _processes_of(home) == []
        server.restart()
    assert _processes_of(home) == []
    assert not server.home.exists()


def _processes_of(home: str) -> list[str]:
    """The command lines of all processes that name `home`."""
    lines = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if home in line]


def test_mail_survives_a_kill_and_a_restart(tmp_path: Path, ca: CertificateAuthority) -> None:
    with dovecot(tmp_path, ca=ca) as server:
        user = new_user(server, "ada")
        user.fill(list(sample_mailbox())[:30])
        before = user.read()
        server.kill()
        with pytest.raises(OSError, match="refused"):
            user.read()
        server.restart()
        assert compare(before, user.read(), duplicates_once=False) == []
        assert server.mailbox_path("ada").is_dir()
        assert "INBOX" in server.doveadm("mailbox", "list", "-u", "ada")
    assert "starting up" in (tmp_path / "dovecot.log").read_text()


@pytest.mark.parametrize(
    ("names", "expired"), [(("wrong.example",), False), ((), True)], ids=["wrong name", "expired"]
)
def test_a_bad_certificate_is_refused_by_a_verifying_client(
    names: tuple[str, ...], expired: bool, ca: CertificateAuthority
) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*ca.issue(*names, expired=expired))
    client = ssl.create_default_context(cafile=str(ca.ca_file))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )

    def shake_hands() -> None:
        for end in ends * 4:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch" if names else "expired"):
        shake_hands()


# --- The checker --------------------------------------------------------------------------------

Damage = Callable[[list[Stored]], list[Stored]]


def _without(messages: list[Stored]) -> list[Stored]:
    return messages[1:]


def _doubled(messages: list[Stored]) -> list[Stored]:
    return [*messages, messages[0]]


def _altered(messages: list[Stored]) -> list[Stored]:
    return [replace(messages[0], content=messages[0].content + b"-- \r\n"), *messages[1:]]


def _reflagged(messages: list[Stored]) -> list[Stored]:
    return [replace(messages[0], flags=(*messages[0].flags, "$Junk")), *messages[1:]]


def _redated(messages: list[Stored]) -> list[Stored]:
    later = messages[0].internal_date + timedelta(seconds=1)
    return [replace(messages[0], internal_date=later), *messages[1:]]


def _rezoned(messages: list[Stored]) -> list[Stored]:
    elsewhere = messages[0].internal_date.astimezone(timezone(timedelta(hours=11)))
    return [replace(messages[0], internal_date=elsewhere), *messages[1:]]


def _moved(messages: list[Stored]) -> list[Stored]:
    return [replace(messages[0], folder=("日本",)), *messages[1:]]


def _stranger(messages: list[Stored]) -> list[Stored]:
    return [*messages, replace(messages[0], content=b"Subject: who is this\r\n\r\n")]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_without, "lost: INBOX"),
        (_doubled, "doubled: INBOX"),
        (_altered, "bytes altered: INBOX"),
        (_reflagged, "altered flags "),
        (_redated, "altered date "),
        (_rezoned, "altered date "),
        (_moved, "in the wrong folder: 日本 instead of INBOX"),
        (_stranger, "unexpected: INBOX"),
    ],
)
def test_the_checker_catches_damage_to_one_message(
    damage: Damage, complaint: str, small_host: Pymap, make_user: MakeUser
) -> None:
    messages = _distinct(sample_mailbox())
    source, destination = make_user(small_host), make_user(small_host)
    source.fill(messages)
    destination.fill(damage(messages))
    differences = compare(source.read(), destination.read())
    assert len(differences) == 1
    assert differences[0].startswith(complaint)


def test_the_checker_accepts_a_faithful_copy_between_hosts(
    old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    source, destination = make_user(old_host), make_user(new_host)
    source.fill(sample_mailbox(), EMPTY_FOLDERS)
    to_sent: dict[FolderPath, FolderPath] = {("Gesendet",): ("Sent",)}
    copied = [replace(m, folder=to_sent.get(m.folder, m.folder)) for m in _distinct(sample_mailbox())]
    destination.fill(copied, EMPTY_FOLDERS)
    assert compare(source.read(), destination.read(), folder_map=to_sent) == []
    (difference,) = compare(source.read(), destination.read(), folder_map=to_sent, duplicates_once=False)
    assert difference.startswith("lost: INBOX: “Merry Christmas”")


def test_the_checker_expects_exact_duplicates_once_by_default() -> None:
    seen = _seen(Stored(INBOX, ("\\Seen",), _SOME_DATE, b"Subject: twice\r\n\r\n"))
    unread = replace(seen, flags=frozenset())
    twice, once = _mailbox({INBOX: [seen, unread]}), _mailbox({INBOX: [unread]})
    assert compare(twice, once) == []
    assert compare(twice, twice) == [f"doubled: INBOX: {unread}"]
    assert compare(twice, once, duplicates_once=False) == [f"lost: INBOX: {seen}"]
    assert compare(twice, twice, duplicates_once=False) == []


def test_the_checker_expects_earlier_mail_untouched_and_not_repeated() -> None:
    old, new = (
        _seen(Stored(INBOX, (), _SOME_DATE, b"Subject: %b\r\n\r\n" % word)) for word in (b"old", b"new")
    )
    source, prior = _mailbox({INBOX: [old, new]}), _mailbox({INBOX: [old]})
    assert compare(source, _mailbox({INBOX: [old, new]}), prior=prior) == []
    assert compare(source, _mailbox({INBOX: [new]}), prior=prior) == [f"lost: INBOX: {old}"]
    assert compare(source, _mailbox({INBOX: [old, old, new]}), prior=prior) == [f"doubled: INBOX: {old}"]


def test_the_checker_reports_a_missing_empty_folder_and_subscription() -> None:
    leer: FolderPath = ("Leer",)
    source = _mailbox({INBOX: [], leer: []}, subscribed=[leer])
    assert compare(source, _mailbox({INBOX: []})) == ["folder missing: Leer"]
    assert compare(source, _mailbox({INBOX: [], leer: []})) == ["not subscribed: Leer"]
    assert compare(source, source) == []


def test_ten_thousand_messages_are_filled_and_compared_in_seconds(
    old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    messages = list(corpus(10_000, median_bytes=1_000))
    users = make_user(old_host), make_user(new_host)
    started_s = time.process_time()  # a busy machine takes longer
    for user in users:
        user.fill(messages)
    source, destination = (user.read() for user in users)
    assert compare(source, destination, duplicates_once=False) == []
    assert source.count() == 10_000
    assert time.process_time() - started_s < 30


def test_the_checker_runs_from_the_command_line(
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, destination = make_user(old_host), make_user(new_host)
    messages = _distinct(sample_mailbox())[:20]
    source.fill(messages)
    destination.fill(messages[:-1])
    arguments = [_url(source), _url(destination), "--ca-file", str(source.ca_file)]
    for side, user in (("source", source), ("destination", destination)):
        password_file = tmp_path / side
        password_file.write_text(f"{user.password}\n", encoding="utf-8")
        arguments += [f"--{side}-password-file", str(password_file)]
    assert main(arguments) == 1
    assert "lost: INBOX" in capsys.readouterr().out
    destination.fill(messages[-1:])
    assert main(arguments) == 0


# --- Valkey and SMTP ----------------------------------------------------------------------------


def test_free_ports_are_none_that_the_system_chooses_itself() -> None:
    """It would give them to the connections of other tests before the server binds them."""
    chosen = free_ports(20)
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(chosen)) == 20
    assert max(chosen) < lowest


def test_valkey_keeps_its_data_across_a_restart_and_loses_it_in_a_flush(tmp_path: Path) -> None:
    with valkey(tmp_path) as server:
        server.client().set("ring", "1")
        server.restart()
        assert server.client().get("ring") == b"1"
        server.flush()
        assert server.client().get("ring") is None


def test_a_paused_valkey_does_not_answer_until_it_is_resumed(valkey_server: Valkey) -> None:
    impatient = redis.Redis.from_url(valkey_server.url, socket_timeout=0.2, retry=None)
    valkey_server.pause()
    try:
        with pytest.raises(redis.TimeoutError):
            impatient.ping()
    finally:
        valkey_server.resume()
    assert valkey_server.client().ping()


def test_the_smtp_catcher_keeps_mails_with_their_envelope(smtp: SmtpCatcher) -> None:
    _send(smtp, "Grüße", "ada@old.example", "bob@new.example")
    (mail,) = smtp.wait_for(1)
    assert mail.recipients == ("ada@old.example", "bob@new.example")
    assert mail.message["Subject"] == "Grüße"
    assert mail.message.get_content().strip() == "schöner Text"
    assert smtp.to("bob@new.example") == [mail]


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ("drop_connections", 0),
        ("defer_data", 0),
        ("drop_at_data", 0),
        ("drop_unaccepted", 0),
        ("drop_accepted", 1),
    ],
)
def test_an_smtp_fault_occurs_only_once(fault: str, kept: int, smtp: SmtpCatcher) -> None:
    setattr(smtp.faults, fault, 1)
    with pytest.raises(smtplib.SMTPException):
        _send(smtp, "first", "ada@old.example")
    assert len(smtp.messages) == kept
    _send(smtp, "second", "ada@old.example")
    assert len(smtp.messages) == kept + 1


def test_smtp_recipients_can_be_refused_or_deferred_one_by_one(smtp: SmtpCatcher) -> None:
    smtp.faults.refuse_recipients.add("gone@old.example")
    refused = _send(smtp, "hello", "gone@old.example", "ada@old.example")
    assert refused["gone@old.example"][0] == 550
    smtp.faults.defer_recipients = 1
    deferred = _send(smtp, "hello", "ada@old.example", "bob@new.example")
    assert deferred["ada@old.example"][0] == 451
    assert [mail.recipients for mail in smtp.messages] == [("ada@old.example",), ("bob@new.example",)]


# --- Helpers ------------------------------------------------------------------------------------


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _distinct(messages: Iterable[Stored]) -> list[Stored]:
    """Without exact duplicates in a folder."""
    return list({(message.folder, message.content): message for message in messages}.values())


def _seen(message: Stored) -> Seen:
    headers = dict(
        line.split(b": ", 1) for line in message.content.split(b"\r\n\r\n")[0].split(b"\r\n") if b": " in line
    )
    return Seen(
        digest=sha256(message.content).hexdigest(),
        flags=frozenset(flag.lower() for flag in message.flags),
        date=message.internal_date,
        size=len(message.content),
        message_id=headers.get(b"Message-ID", b"").decode(),
        subject=headers.get(b"Subject", b"").decode("utf-8", "replace"),
    )


def _mailbox(folders: Mapping[FolderPath, Sequence[Seen]], subscribed: Iterable[FolderPath] = ()) -> Mailbox:
    return Mailbox(folders, frozenset(subscribed))


def _expected(messages: Iterable[Stored], empty: Iterable[FolderPath] = ()) -> Mailbox:
    """The mailbox that filling in `messages` must produce."""
    folders: dict[FolderPath, list[Seen]] = {path: [] for path in empty}
    for message in messages:
        folders.setdefault(message.folder, []).append(_seen(message))
    return _mailbox(folders, folders)


def _text(answer: tuple[str, Sequence[object]]) -> bytes:
    text = answer[1][0]
    assert isinstance(text, bytes)
    return text


def _url(user: User) -> str:
    return server_url(user.account.endpoint, user.account.login)


def _send(smtp: SmtpCatcher, subject: str, *recipients: str) -> dict[str, tuple[int, bytes]]:
    mail = EmailMessage()
    mail["From"] = "mailhaul@new.example"
    mail["Subject"] = subject
    mail.set_content("schöner Text")
    with smtplib.SMTP("localhost", smtp.port, timeout=PATIENCE_S) as client:
        return client.send_message(mail, "mailhaul@new.example", recipients)
