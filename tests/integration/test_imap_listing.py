"""Listing folders and reading their status on servers that contradict themselves, refuse what they announce,
or take one command at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from importer.adapters.imap import folder_survey, reconnecting
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef, FolderStatus, Message
from importer.domain.model import Account
from importer.engine.survey import Survey, survey
from importer.ports.mailbox_errors import FolderLeftOut, FolderUnusable
from providers.endpoint import Secret
from providers.errors import ConnectionLost, LoginRejected, MailError, ServerUnavailable
from tests.english import said
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.scripted import GREETING, Answer, ScriptedServer, scripted_server, usual_answer

OLD = "IMAP4rev1 UIDPLUS NAMESPACE UNSELECT"
MODERN = OLD + " LIST-EXTENDED LIST-STATUS SPECIAL-USE ESEARCH"
EXTENDED, PLAIN = 'LIST "" "*" RETURN', 'LIST "" "*"'
OK = b"TAG OK done\r\n"
INBOX = FolderRef("INBOX", UidValidity(9))
Open = Callable[..., tuple[ImapReader, ScriptedServer]]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_survey, "pause", lambda _losses: None)
    monkeypatch.setattr(reconnecting, "pause", lambda _losses: None)


@pytest.fixture
def scripted() -> Iterator[Open]:
    """A session on a server that answers as told, and the server."""
    with ExitStack() as stack:

        def opened(
            answer: Answer,
            capabilities: str = OLD,
            *,
            greeting: bytes = GREETING,
            io_s: float = 5,
        ) -> tuple[ImapReader, ScriptedServer]:
            def told(command: str) -> bytes | None:
                given = answer(command)
                return usual_answer(command, capabilities) if given is None else given

            server = stack.enter_context(scripted_server(told, greeting=greeting))
            sessions = ImapSessions(timeouts=Timeouts(connect_s=PATIENCE_S, io_s=io_s))
            account = Account("ada@old.example", "ada", server.endpoint)
            opened_session = sessions.open_source(account, Secret("secret"))
            stack.callback(opened_session.close)
            return opened_session, server

        yield opened


def lines(*untagged: bytes, reply: bytes = OK) -> bytes:
    return b"".join(b"* " + line + b"\r\n" for line in untagged) + reply


def listed(*names: str, attributes: str = "", status: bool = False) -> bytes:
    answers = []
    for name in names:
        answers.append(f'LIST ({attributes}) "/" "{name}"'.encode())
        if status:
            answers.append(f'STATUS "{name}" (MESSAGES 8 UIDNEXT 9 UIDVALIDITY 9)'.encode())
    return lines(*answers)


def status_of(command: str) -> bytes | None:
    """Every folder holds what `usual_answer` says."""
    if not command.startswith("STATUS"):
        return None
    name = command.split('"')[1]
    return lines(f'STATUS "{name}" (MESSAGES 8 UIDNEXT 9 UIDVALIDITY 9)'.encode())


def names(surveyed: Survey) -> list[str]:
    return sorted(surveyed.statuses)


def count(server: ScriptedServer, start: str) -> int:
    return sum(command.startswith(start) for command in server.commands)


# --- Two lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extended", [(), ("Sent",), ("INBOX",), ("INBOX", "Sent", "Sent/2024"), ("INBOX", "Sent/2024")]
)
def test_what_the_extended_list_leaves_out_is_in_the_plain_one(scripted: Open, extended: tuple[str]) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith(EXTENDED):
            return listed(*extended, status=True)
        if command == PLAIN:
            return listed("INBOX", "Sent", "Sent/2024")
        return status_of(command)

    opened, server = scripted(answer, MODERN)
    assert names(survey(opened)) == ["INBOX", "Sent", "Sent/2024"]
    # Where both agree there is no further question.
    assert count(server, "LSUB") == (len(extended) < 3)
    assert count(server, "STATUS") == 3 - len(extended)


def test_inbox_exists_although_no_list_has_it(scripted: Open) -> None:
    opened, server = scripted(status_of)
    assert names(survey(opened)) == ["INBOX"]
    assert count(server, 'LIST "" "%"') == 1


def test_an_inbox_that_is_neither_listed_nor_there_is_none(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command == PLAIN:
            return listed("Sent")
        if "INBOX" in command:
            return b"TAG NO [NONEXISTENT] Mailbox does not exist\r\n"
        return status_of(command)

    opened, _ = scripted(answer)
    surveyed = survey(opened)
    assert (names(surveyed), surveyed.unusable) == (["Sent"], {})


def test_folders_that_only_a_list_by_levels_shows_are_found(scripted: Open) -> None:
    levels = {
        PLAIN: lines(b'LIST (\\HasChildren) "/" "INBOX"', b'LIST (\\HasChildren) "/" "Work"'),
        'LIST "" "INBOX/%"': lines(b'LIST (\\HasChildren) "/" "INBOX/Old"'),
        'LIST "" "INBOX/Old/%"': lines(b'LIST () "/" "INBOX/Old/2001"'),
        'LIST "" "Work/%"': lines(),  # hidden from us after all
    }
    opened, server = scripted(lambda command: levels.get(command) or status_of(command))
    assert names(survey(opened)) == ["INBOX", "INBOX/Old", "INBOX/Old/2001", "Work"]
    assert count(server, "LIST") == 4


def test_a_subscribed_folder_that_list_leaves_out_is_there_if_it_opens(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command == PLAIN:
            return listed("INBOX")
        if command.startswith("LSUB"):
            return lines(b'LSUB () "/" "Kept"', b'LSUB () "/" "Gone"', b'LSUB (\\Noselect) "/" "Top"')
        if "Gone" in command:
            return b"TAG NO no such mailbox\r\n"
        return status_of(command)

    opened, _ = scripted(answer)
    surveyed = survey(opened)
    assert (names(surveyed), surveyed.unusable) == (["INBOX", "Kept"], {})


def test_folders_below_the_users_own_prefix_are_asked_for(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command == "NAMESPACE":
            return lines(b'NAMESPACE (("Mail/" "/")) NIL NIL')
        if command == PLAIN:
            return listed("INBOX")
        if command == 'LIST "" "Mail/%"':
            return listed("Mail/Sent")
        return status_of(command)

    opened, _ = scripted(answer)
    assert names(survey(opened)) == ["INBOX", "Mail/Sent"]


# --- Extensions that are refused -----------------------------------------------------------------------


@pytest.mark.parametrize("reply", [b"TAG BAD what is that\r\n", b"TAG NO not today\r\n"])
@pytest.mark.parametrize("refused", ["NAMESPACE", EXTENDED])
def test_a_refused_extension_costs_only_itself_and_is_not_used_again(
    scripted: Open, refused: str, reply: bytes
) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith(refused):
            return reply
        if command.startswith("LIST"):
            return listed("INBOX", "Sent", status=command.startswith(EXTENDED))
        if command.startswith("LSUB"):
            return lines(b'LSUB () "/" "Sent"')
        return status_of(command)

    opened, server = scripted(answer, MODERN)
    for _ in range(2):
        surveyed = survey(opened)
        assert names(surveyed) == ["INBOX", "Sent"]
    asked = count(server, refused)
    assert asked == (2 if reply.startswith(b"TAG BAD") else 1)  # a BAD may be due to sending it ahead
    opened.link.reconnect()
    assert names(survey(opened)) == ["INBOX", "Sent"]
    assert count(server, refused) == asked


def test_a_list_with_status_that_ends_the_connection_is_not_asked_for_again(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith(EXTENDED):
            return b"* BYE server error\r\n"
        if command.startswith("LIST"):
            return listed("INBOX", "Sent")
        return status_of(command)

    opened, server = scripted(answer, MODERN)
    assert names(survey(opened)) == ["INBOX", "Sent"]
    assert names(survey(opened)) == ["INBOX", "Sent"]
    assert count(server, EXTENDED) == 2


def test_an_id_that_ends_the_connection_is_done_without(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("ID"):
            return b"* BYE unknown client\r\n"
        return listed("INBOX", "Sent") if command.startswith("LIST") else status_of(command)

    opened, server = scripted(answer, MODERN + " ID")
    assert names(survey(opened)) == ["INBOX", "Sent"]
    assert count(server, "ID") == 2


def test_a_list_that_is_refused_leaves_inbox_and_says_so(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("LIST"):
            return b"TAG NO the list cannot be read\r\n"
        return status_of(command)

    opened, _ = scripted(answer)
    surveyed = survey(opened)
    assert names(surveyed) == ["INBOX"]
    [(_, error)] = surveyed.unusable.items()
    assert "the list cannot be read" in error.server_text


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [(b"IMAP is disabled for this account", LoginRejected), (b"nie teraz", ServerUnavailable)],
)
def test_a_server_that_refuses_everything_is_quoted_with_its_alert(
    scripted: Open, refusal: bytes, kind: type[MailError]
) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("LOGIN"):
            return b"TAG OK [ALERT] Switch on IMAP in the settings first\r\n"
        if command in ("CAPABILITY", "NOOP"):
            return None
        return b"TAG NO " + refusal + b"\r\n"

    opened, _ = scripted(answer)
    with pytest.raises(kind) as caught:
        survey(opened)
    assert refusal.decode() in caught.value.server_text
    assert "Switch on IMAP in the settings first" in caught.value.server_text
    assert "invalid response" not in said(caught.value)


# --- Lines that cannot be read -------------------------------------------------------------------------


def test_a_line_without_a_name_is_named_in_the_report(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("LIST"):
            return lines(b'LIST () "/" "INBOX"', b'LIST (\\HasNoChildren) "/"', b'LIST () "/" Old Mail')
        return status_of(command)

    opened, _ = scripted(answer)
    surveyed = survey(opened)
    assert names(surveyed) == ["INBOX", "Old Mail"]
    [(name, error)] = surveyed.unusable.items()
    assert name == 'LIST (\\HasNoChildren) "/"'
    assert "cannot be read" in said(error)


# --- Status --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (b'* STATUS "INBOX" ()\r\nTAG OK done\r\n', 1),
        (b'* STATUS "INBOX" (MESSAGES 8)\r\nTAG OK done\r\n', 1),
        (OK, 1),
        (b"TAG NO select it first\r\n", 2),
        (b"TAG BAD unknown command\r\n", 2),
    ],
)
def test_a_status_that_tells_too_little_is_taken_from_examine(
    scripted: Open, status: bytes, asked: int
) -> None:
    opened, server = scripted(lambda command: status if command.startswith("STATUS") else None)
    for _ in range(2):
        assert opened.status("INBOX") == FolderStatus(UidValidity(9), Uid(9), 8)
    assert count(server, "STATUS") == asked
    assert count(server, "EXAMINE") == 2


@pytest.mark.parametrize(("messages", "uidnext"), [(8, 78), (0, 1)])
def test_a_missing_uidnext_follows_the_highest_uid(scripted: Open, messages: int, uidnext: int) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("STATUS"):
            return OK
        if command.startswith("EXAMINE"):
            return lines(b"%d EXISTS" % messages, b"OK [UIDVALIDITY 9] x")
        return lines(b"8 FETCH (UID 77)") if command == "FETCH * (UID)" else None

    opened, _ = scripted(answer)
    assert opened.status("INBOX") == FolderStatus(UidValidity(9), Uid(uidnext), messages)


@pytest.mark.parametrize("capabilities", [OLD, MODERN])
def test_a_folder_that_ends_the_connection_is_left_out_by_name(scripted: Open, capabilities: str) -> None:
    def answer(command: str) -> bytes | None:
        if (command.startswith("STATUS") and "Evil" in command) or command.startswith(EXTENDED):
            return b"* BYE this did not go well\r\n"
        return listed("INBOX", "Evil", "Sent") if command.startswith("LIST") else status_of(command)

    opened, server = scripted(answer, capabilities)
    surveyed = survey(opened)
    assert names(surveyed) == ["INBOX", "Sent"]
    assert list(surveyed.unusable) == ["Evil"]
    assert "this did not go well" in surveyed.unusable["Evil"].server_text
    assert server.connections <= 9


@pytest.mark.parametrize("uids", [True, False])
def test_a_folder_that_ends_the_connection_when_it_is_opened_is_unusable(scripted: Open, uids: bool) -> None:
    def answer(command: str) -> bytes | None:
        return b"* BYE this did not go well\r\n" if command.startswith("EXAMINE") else None

    opened, _ = scripted(answer)
    with pytest.raises(FolderUnusable, match=r"folder_unusable\.opened"):
        opened.uids(INBOX) if uids else list(opened.sizes(INBOX, UidSet.of([1])))
    assert opened.status("INBOX").messages == 8


def test_a_uidvalidity_that_examine_leaves_out_is_that_of_status(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        return lines(b"8 EXISTS", b"OK [UIDNEXT 9] x") if command.startswith("EXAMINE") else None

    opened, _ = scripted(answer)
    inbox = opened.status("INBOX").ref("INBOX")
    assert opened.uids(inbox) == UidSet()
    with pytest.raises(FolderUnusable, match=r"folder_unusable\.opened"):
        opened.uids(FolderRef("Sent", UidValidity(9)))


def test_a_server_that_ends_every_connection_blames_no_folder(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith(("STATUS", "EXAMINE")):
            return b"* BYE going down\r\n"
        return listed(*(f"F{number}" for number in range(9))) if command.startswith("LIST") else None

    opened, _ = scripted(answer)
    with pytest.raises(ConnectionLost):
        survey(opened)


def test_an_empty_folder_with_another_uidvalidity_each_time_is_no_reason_to_stop(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("EXAMINE"):
            return lines(b"0 EXISTS", b"OK [UIDVALIDITY %d] x" % (100 + count(server, "EXAMINE")))
        return None

    opened, server = scripted(answer)
    assert opened.uids(FolderRef("INBOX", UidValidity(9))) == UidSet()


# --- One command at a time -----------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [b"TAG BAD wait for the answer\r\n", b""])
def test_a_server_that_takes_one_command_at_a_time_is_asked_one_at_a_time(
    scripted: Open, refusal: bytes
) -> None:
    """The first command after ID, the second of a batch and the FETCH behind EXAMINE arrive early."""
    early: dict[str, int] = {}

    def answer(command: str) -> bytes | None:
        word = command.split(" ", maxsplit=1)[0]
        if word in ("NAMESPACE", "LSUB", "UID") and not early.get(word):
            early[word] = 1  # the first time it was sent ahead
            if len(early) == 1:
                return refusal
        if command.startswith("UID FETCH"):
            return lines(b'1 FETCH (UID 1 FLAGS () INTERNALDATE "01-Jan-2020 00:00:00 +0000" BODY[] "x")')
        return listed("INBOX", "Sent") if command.startswith("LIST") else status_of(command)

    opened, server = scripted(answer, OLD + " ID LITERAL+", io_s=1)
    assert names(survey(opened)) == ["INBOX", "Sent"]
    [message] = opened.messages(FolderRef("INBOX", UidValidity(9)), UidSet.of([1]))
    assert isinstance(message, Message)
    assert not opened.has_capability("LITERAL+")
    assert server.connections == (2 if not refusal else 1)


# --- What is left out ----------------------------------------------------------------------------------


def test_folders_of_others_are_left_out_with_their_number_of_messages(scripted: Open) -> None:
    def answer(command: str) -> bytes | None:
        if command == "NAMESPACE":
            return lines(b'NAMESPACE (("" "/")) (("Other/" "/")) (("Public/" "/"))')
        if command.startswith("LIST"):
            return listed("INBOX", "Other/bea", "Public/News")
        return status_of(command)

    opened, _ = scripted(answer)
    surveyed = survey(opened)
    assert (names(surveyed), [folder.name for folder in surveyed.folders]) == (["INBOX"], ["INBOX"])
    left_out = {name: error for name, error in surveyed.unusable.items() if isinstance(error, FolderLeftOut)}
    assert {name: (error.text.code, error.messages) for name, error in left_out.items()} == {
        "Other/bea": ("folder_left_out.shared", 8),
        "Public/News": ("folder_left_out.shared", 8),
    }


EXCHANGE_2010 = "IMAP4 IMAP4rev1 AUTH=PLAIN UIDPLUS CHILDREN IDLE NAMESPACE LITERAL+"


@pytest.mark.parametrize(
    ("greeting", "capabilities", "recognised"),
    [
        (b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n", OLD, True),
        (b"* OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5\r\n", OLD, True),
        (GREETING, EXCHANGE_2010, True),
        (GREETING, EXCHANGE_2010 + " CONDSTORE", False),
        (GREETING, OLD, False),
    ],
)
def test_exchange_of_any_generation_is_recognised(
    scripted: Open, greeting: bytes, capabilities: str, recognised: bool
) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith("AUTHENTICATE"):
            return OK
        return listed("INBOX", "Calendar", "Contacts") if command.startswith("LIST") else status_of(command)

    opened, _ = scripted(answer, capabilities, greeting=greeting)
    surveyed = survey(opened)
    assert names(surveyed) == (["INBOX"] if recognised else ["Calendar", "Contacts", "INBOX"])


def test_the_words_of_a_refusal_are_in_the_sentence(scripted: Open) -> None:
    opened, _ = scripted(lambda command: b"TAG BAD argument (11)\r\n" if "Locked" in command else None)
    with pytest.raises(FolderUnusable, match=r"folder_unusable\.opened"):
        opened.status("Locked")
