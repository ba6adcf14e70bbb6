"""Quirks of the syntax of responses to FETCH."""

from __future__ import annotations

from tests.rehearsal.quirks.mail import Message
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import literal


@quirk("blank-line-before-parenthesis", "python/cpython#88574")
class BlankLineBeforeParenthesis(Session):
    """An empty line separates a message's content from the parenthesis that closes its response."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        return literal(content) + b"\r\n"


@quirk("blank-line-after-answer", "mjs/imapclient#162")
class BlankLineAfterAnswer(Session):
    """An empty line follows each FETCH response."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items) + b"\r\n"


@quirk("two-blanks-after-asterisk", "mguessan/davmail#122")
class TwoBlanksAfterAsterisk(Session):
    """A keep-alive line with two spaces precedes each FETCH response."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return b"*  %d EXISTS\r\n" % len(self.view) + super().fetch_lines(number, message, items)


@quirk("parenthesis-closes-too-early", "paperless-ngx/paperless-ngx#13412")
class ParenthesisClosesTooEarly(Session):
    """The parenthesis of a FETCH response closes after the content; flags and date follow on a separate line,
    with an extra parenthesis."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        content = [item for item in items if item[0].startswith(b"BODY[")]
        after = [item for item in items if item[0] in (b"FLAGS", b"INTERNALDATE")]
        if not content or not after:
            return super().fetch_lines(number, message, items)
        first = [item for item in items if item not in after]
        rest = b" ".join(name + b" " + value for name, value in after)
        return super().fetch_lines(number, message, first) + b" " + rest + b")\r\n"


@quirk("uid-after-content", "karastojko/mailio#135")
class UidAfterContent(Session):
    """The items are in reverse order, with UID after the content."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items[::-1])


@quirk("blank-before-parenthesis", "jakartaee/mail-api#209")
class BlankBeforeParenthesis(Session):
    """A space precedes the parenthesis that closes a response."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items)[:-3] + b" )\r\n"


@quirk("content-in-answer-without-uid", "emailjs/emailjs-imap-client#53")
class ContentInAnswerWithoutUid(Session):
    """The items of a message come in two responses; the second one, with the content, has no UID."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        content = [item for item in items if item[0].startswith(b"BODY[")]
        if not content:
            return super().fetch_lines(number, message, items)
        rest = [item for item in items if item not in content]
        return super().fetch_lines(number, message, rest) + super().fetch_lines(number, message, content)


class _RenamedItems(Session):
    def renamed(self, name: bytes) -> bytes:
        return name

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, [(self.renamed(name), value) for name, value in items])


@quirk("peek-in-answers", "Webklex/php-imap#617")
class PeekInAnswers(_RenamedItems):
    """The content is named BODY.PEEK[] in the response, as in the command."""

    def renamed(self, name: bytes) -> bytes:
        return name.replace(b"BODY[", b"BODY.PEEK[")


@quirk("items-in-lower-case", "Webklex/php-imap#617")
class ItemsInLowerCase(_RenamedItems):
    """The names of the items are in lower case."""

    def renamed(self, name: bytes) -> bytes:
        return name.lower()


@quirk("content-called-rfc822", "Enough-Software/enough_mail#2")
class ContentCalledRfc822(_RenamedItems):
    """The content is named RFC822, independent of the request."""

    def renamed(self, name: bytes) -> bytes:
        return b"RFC822" if name == b"BODY[]" else name


@quirk("content-as-literal8", "ruby/net-imap#653")
class ContentAsLiteral8(Session):
    """Contents are announced as binary literals."""

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        return b"~" + (super().item_content(message, section, content) or b"")


@quirk("flag-changes-in-between", "jstedfast/MailKit#435")
class FlagChangesInBetween(Session):
    """Flag changes precede each FETCH response: of another message, and of one without UID."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        others = b"* %d FETCH (UID 402782 FLAGS (\\Seen))\r\n" % (len(self.view) + 1)
        others += b"* %d FETCH (FLAGS (\\Deleted))\r\n" % number
        return others + super().fetch_lines(number, message, items)


@quirk("wrong-message-numbers", "cyrusimap/cyrus-imapd#1967")
class WrongMessageNumbers(Session):
    """FETCH responses have the UID in place of the message number, possibly out of range."""

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(message.uid + 1, message, items)


@quirk("bare-line-feeds")
class BareLineFeeds(Session):
    """Responses end in LF without CR."""

    def say(self, line: bytes) -> None:
        self.say_raw(line + b"\n")

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        return super().fetch_lines(number, message, items).removesuffix(b"\r\n") + b"\n"
