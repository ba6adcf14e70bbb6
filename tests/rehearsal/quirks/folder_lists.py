"""Quirks of LIST, LSUB and NAMESPACE: missing folders, and unusual syntax."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Folder, Mailbox, fill
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import InvalidCommand, Words, quoted


@quirk("list-return-without-inbox", "jstedfast/MailKit#1957")
class ListReturnWithoutInbox(Session):
    """LIST with RETURN omits INBOX; plain LIST includes it."""

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        found = super().list_folders(command, returning)
        return [folder for folder in found if not returning or folder is not self.box.inbox]


@quirk("list-return-answers-nothing", "cyrusimap/cyrus-imapd#1500")
class ListReturnAnswersNothing(Session):
    """LIST with RETURN lists no folder and ends with OK; plain LIST lists all."""

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        return [] if returning else super().list_folders(command, returning)


@quirk("list-return-subscribed-only", "jstedfast/MailKit#1639")
class ListReturnSubscribedOnly(Session):
    """LIST with RETURN lists only subscribed folders; plain LIST lists all."""

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        found = super().list_folders(command, returning)
        return [folder for folder in found if not returning or folder.subscribed]


@quirk("list-return-refused", "stalwartlabs/vandelay#5")
class ListReturnRefused(Session):
    """LIST with RETURN gets BAD, although LIST-EXTENDED is offered; plain LIST works."""

    def do_list(self, tag: bytes, arguments: Words) -> None:
        if len(arguments) > 2:
            raise InvalidCommand("RETURN is not known here")
        super().do_list(tag, arguments)


@quirk("list-refused", "imapsync/imapsync#426")
class ListRefused(Session):
    """LIST of any kind gets NO; INBOX can be opened."""

    def do_list(self, tag: bytes, arguments: Words) -> None:
        self.no(tag, b"the list of folders cannot be read at present")


@quirk("lists-no-folder", "imapsync/imapsync#70")
class ListsNoFolder(Session):
    """LIST and LSUB of any kind list nothing and end with OK; INBOX can be opened."""

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        return []


@quirk("namespace-refused", "stalwartlabs/vandelay#5")
class NamespaceRefused(Session):
    """NAMESPACE is offered and gets BAD."""

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        raise InvalidCommand("NAMESPACE is not known here")


@quirk("lsub-names-what-is-gone", "s1t5/mail-archiver#530")
class LsubNamesWhatIsGone(Session):
    """LSUB lists a folder that LIST does not."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.subscriptions_to_nothing.append(b"Gone")

    def capabilities(self) -> bytes:
        return PLAIN.encode()


@quirk("only-inbox-can-be-opened", "imapsync/imapsync#167")
class OnlyInboxCanBeOpened(Session):
    r"""All folders except INBOX are \Noselect."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for folder in box.folders.values():
            folder.selectable = folder is box.inbox


@quirk("no-delimiter", "OfflineIMAP/offlineimap#663")
class NoDelimiter(Session):
    """The delimiter in LIST is NIL; names have dots."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        del box.folders[b"Archive/2024"]
        box.delimiter = None
        fill(box, b"INBOX.Sent.2019", 2, first=701)


@quirk("delimiter-is-empty", "thunderbird/thunderbird-android#1936")
class DelimiterIsEmpty(Session):
    """The delimiter in LIST is an empty string; names have dots."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        del box.folders[b"Archive/2024"]
        box.delimiter = b""
        fill(box, b"INBOX.Sent.2019", 2, first=701)


class _OddListLine(Session):
    """An additional folder, whose line of LIST is `odd`."""

    extra = b"Odd"
    odd = b""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, cls.extra, 2, first=701)

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        if folder.name == self.extra:
            return command + b" " + self.odd
        return super().list_line(command, folder, returning)


@quirk("list-name-with-lone-quote", "OfflineIMAP/offlineimap#545")
class ListNameWithLoneQuote(_OddListLine):
    """One line of LIST has an unquoted name that contains a quotation mark."""

    extra = b'a"b'
    odd = b'() "/" a"b'


@quirk("list-line-without-name", "kisli/vmime#250")
class ListLineWithoutName(_OddListLine):
    """One line of LIST ends after the delimiter."""

    odd = b'() "/"'


@quirk("list-name-in-brackets", "jstedfast/MailKit#195")
class ListNameInBrackets(_OddListLine):
    """One folder's name is unquoted and contains brackets."""

    extra = b"[Mail]/Old]"
    odd = b'() "/" [Mail]/Old]'


@quirk("list-name-as-literal", "ikvk/imap_tools#240")
class ListNameAsLiteral(_OddListLine):
    """One folder's name is a literal that contains a quotation mark and a backslash."""

    extra = b'say "a\\b"'
    odd = b'() "/" {9}\r\nsay "a\\b"'


@quirk("list-line-with-stray-asterisk", "rnwood/smtp4dev#1468")
class ListLineWithStrayAsterisk(Session):
    """LIST has an asterisk before the name of INBOX."""

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def list_name(self, folder: Folder) -> bytes:
        return (b"*" if folder is self.box.inbox else b"") + super().list_name(folder)

    def tell_status(self, folder: Folder, items: Sequence[bytes]) -> None:
        numbers = self.status_numbers(folder)
        told = [b"%s %s" % (item.upper(), numbers[item.upper()]) for item in items]
        self.say(b"* STATUS %s (%s)" % (quoted(folder.name), b" ".join(told)))


@quirk("list-attribute-is-a-backslash", "Foundry376/Mailspring#1795")
class ListAttributeIsABackslash(Session):
    r"""Every line of LIST has the attribute `\`, a backslash without a name."""

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        line = super().list_line(command, folder, returning)
        return line.replace(b"(", b"(\\ ", 1).replace(b"(\\ )", b"(\\)")


@quirk("names-with-blanks-not-quoted", "IndySockets/Indy#329")
class NamesWithBlanksNotQuoted(Session):
    """LIST does not quote names with spaces; two folders begin with the same word."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.delimiter = b"\\"
        fill(box, b"Projekt Alpha", 2, first=701)
        fill(box, b"Projekt Beta", 3, first=801)

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def list_name(self, folder: Folder) -> bytes:
        return folder.name


@quirk("folders-named-like-numbers", "stalwartlabs/vandelay#26")
class FoldersNamedLikeNumbers(Session):
    """Folders are named 200, 1e3 and NIL, and LIST does not quote them (except NIL)."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for at, name in enumerate((b"200", b"1e3", b"NIL")):
            fill(box, name, 2, first=701 + 100 * at)

    def list_name(self, folder: Folder) -> bytes:
        return folder.name if folder.name in (b"200", b"1e3") else super().list_name(folder)


@quirk("inbox-in-mixed-case", "mjl-/mox#80")
class InboxInMixedCase(Session):
    """LIST writes the name of INBOX as Inbox, and that of a folder below it with INBOX."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        if box.inbox.messages:
            fill(box, b"INBOX/Sub", 2, first=701)

    def list_name(self, folder: Folder) -> bytes:
        return b'"Inbox"' if folder is self.box.inbox else super().list_name(folder)


@quirk("inbox-listed-twice", "cypht-org/cypht#165")
class InboxListedTwice(Session):
    """LIST lists INBOX a second time, as inbox."""

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        line = super().list_line(command, folder, returning)
        return line if folder is not self.box.inbox else line + b"\r\n* " + line.replace(b"INBOX", b"inbox")


@quirk("shared-namespace-without-prefix", "nextcloud/mail#2105")
class SharedNamespaceWithoutPrefix(Session):
    """All folders are below INBOX, and the prefix of the shared namespace is empty."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for name in list(box.folders):
            if name != b"INBOX":
                box.rename(name, b"INBOX." + name.replace(b"/", b"."))
        box.delimiter = b"."

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.say(b'* NAMESPACE (("INBOX." ".")) (("user." ".")) (("" "."))')
        self.ok(tag, b"NAMESPACE")


@quirk("lists-one-level", "nextcloud/mail#2105")
class ListsOneLevel(Session):
    """LIST with `*` lists only folders of the first level, and reports which have children."""

    deep = False

    def capabilities(self) -> bytes:
        return PLAIN.encode() + b" CHILDREN"

    def do_list(self, tag: bytes, arguments: Words) -> None:
        self.deep = b"%" in arguments[1]
        super().do_list(tag, arguments)

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        found = super().list_folders(command, returning)
        return [folder for folder in found if self.deep or b"/" not in folder.name]

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        has_children = any(name.startswith(folder.name + b"/") for name in self.box.folders)
        line = super().list_line(command, folder, returning)
        return line.replace(b"(", b"(\\HasChildren ", 1) if has_children else line


@quirk("ampersand-within-base64", "modern-email/defects#46")
class AmpersandWithinBase64(Session):
    """A folder's name in modified UTF-7 has its ampersand within base64, and the server accepts only that
    spelling."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"&BBAEMQQyACYEMwQ0BDU-", 2, first=701)


@quirk("names-in-utf8")
class NamesInUtf8(Session):
    """A folder's name is in UTF-8, another one has a bare ampersand; the server accepts only these
    spellings."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, "Gelöscht".encode(), 2, first=701)
        fill(box, b"R&D", 2, first=801)
