"""Commands of a quirk server that concern messages."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

from tests.rehearsal.imitations import parsing
from tests.rehearsal.quirks.folder_commands import FolderCommands
from tests.rehearsal.quirks.mail import Message
from tests.rehearsal.quirks.wire import InvalidCommand, Literal, Words, as_set, quoted

_DATE = re.compile(rb"[ 0-9]?[0-9]-[A-Za-z]{3}-[0-9]{4} [0-9:]{8} [+-][0-9]{4}")
_CONTENT = re.compile(rb"(BODY(?:\.PEEK)?)\[([^\]]*)\](?:<([0-9]+)\.([0-9]+)>)?")


class MessageCommands(FolderCommands):
    """FETCH, SEARCH, STORE, COPY, EXPUNGE, APPEND."""

    def chosen(self, text: bytes, *, by_uid: bool) -> list[tuple[int, Message]]:
        """(message number, message) for a sequence set."""
        numbers = [message.uid if by_uid else number for number, message in enumerate(self.view, 1)]
        wanted = set(parsing.chosen(text.decode("ascii"), sorted(numbers)))
        return [
            (number, message)
            for number, (message, key) in enumerate(zip(self.view, numbers, strict=True), 1)
            if key in wanted
        ]

    def do_fetch(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.opened()
        items = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
        items = [item.upper() for item in items]
        if by_uid and b"UID" not in items:
            items.insert(0, b"UID")
        for number, message in self.chosen(arguments[0], by_uid=by_uid):
            self.fetch_one(number, message, items)
        if by_uid:
            self.tell_changes()
        self.ok(tag, b"FETCH")

    def fetch_one(self, number: int, message: Message, items: list[bytes]) -> None:
        values = [(name, value) for name, value in self._items(message, items) if value is not None]
        self.say_raw(self.fetch_lines(number, message, values))
        self.fetched_one(message)

    def _items(self, message: Message, items: list[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        simple = {
            b"UID": self.item_uid,
            b"FLAGS": self.item_flags,
            b"INTERNALDATE": self.item_internaldate,
            b"RFC822.SIZE": self.item_size,
        }
        for item in items:
            if item in simple:
                yield item, simple[item](message)
            elif item == b"RFC822":
                if not self.read_only:
                    message.flags.add(rb"\Seen")
                yield item, self.item_content(message, b"", message.body)
            else:
                yield self._body_section(message, item)

    def _body_section(self, message: Message, item: bytes) -> tuple[bytes, bytes | None]:
        requested = _CONTENT.fullmatch(item)
        if requested is None:
            raise InvalidCommand("FETCH of an unknown item")
        section = requested[2]
        content = _section(message.body, section)
        if requested[1] == b"BODY" and not self.read_only:
            message.flags.add(rb"\Seen")
        answer = b"BODY[" + section + b"]"
        if requested[3] is not None:
            content = content[int(requested[3]) : int(requested[3]) + int(requested[4])]
            answer += b"<%s>" % requested[3]
        return answer, self.item_content(message, section, content)

    def do_search(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.opened()
        returning = None
        if arguments and not isinstance(arguments[0], list) and arguments[0].upper() == b"RETURN":
            returning = [one.upper() for one in arguments[1]] or [b"ALL"]
            arguments = arguments[2:]
        found = self.found_by_search(self._search(arguments))
        by_id = {id(message): number for number, message in enumerate(self.view, 1)}
        numbers = [message.uid if by_uid else by_id[id(message)] for message in found]
        if returning is None:
            self.search_lines(numbers)
        else:
            result = self.esearch_items(numbers, returning)
            self.say(b"* ESEARCH (TAG %s)%s%s" % (quoted(tag), b" UID" * by_uid, result))
        if by_uid:
            self.tell_changes()
        self.ok(tag, b"SEARCH")

    def _search(self, keys: Words) -> list[Message]:
        found = list(self.view)
        at = 0
        while at < len(keys):
            key = keys[at].upper()
            at += 1
            if key == b"ALL":
                continue
            if key == b"UID":
                chosen = {id(message) for _, message in self.chosen(keys[at], by_uid=True)}
                at += 1
            elif re.fullmatch(rb"[0-9:*,]+", key):
                chosen = {id(message) for _, message in self.chosen(key, by_uid=False)}
            elif key.removeprefix(b"UN") in (b"SEEN", b"ANSWERED", b"FLAGGED", b"DELETED", b"DRAFT"):
                flag = b"\\" + key.removeprefix(b"UN").title()
                chosen = {id(m) for m in found if (flag in m.flags) != key.startswith(b"UN")}
            else:
                raise InvalidCommand("SEARCH for an unknown key")
            found = [message for message in found if id(message) in chosen]
        return found

    def do_store(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.opened()
        how = arguments[1].upper()
        given = {bytes(flag) for flag in (arguments[2] if isinstance(arguments[2], list) else arguments[2:])}
        if self.read_only:
            self.no(tag, b"the folder is open for reading only")
            return
        for number, message in self.chosen(arguments[0], by_uid=by_uid):
            if how.startswith(b"+"):
                message.flags |= given
            elif how.startswith(b"-"):
                message.flags -= given
            else:
                message.flags = given
            if not how.endswith(b".SILENT"):
                self.fetch_one(number, message, [b"UID", b"FLAGS"] if by_uid else [b"FLAGS"])
        self.ok(tag, b"STORE")

    def do_copy(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        self.opened()
        target = self.named(arguments[1])
        if target is None:
            self.no(tag, b"[TRYCREATE] no such folder")
            return
        chosen = [message for _, message in self.chosen(arguments[0], by_uid=by_uid)]
        uids = [target.add(message.body, message.flags, message.date) for message in chosen]
        sides = (as_set(message.uid for message in chosen), as_set(uids))
        code = b"[COPYUID %d %s %s] " % (target.uidvalidity, *sides) if uids else b""
        self.ok(tag, b"COPY", code + b"copied")

    def do_expunge(self, tag: bytes, arguments: Words, *, by_uid: bool = False) -> None:
        folder = self.opened()
        if self.read_only:
            self.no(tag, b"the folder is open for reading only")
            return
        chosen = [m for _, m in self.chosen(arguments[0], by_uid=True)] if by_uid else self.view
        among = set(map(id, chosen))
        folder.messages[:] = [m for m in folder.messages if rb"\Deleted" not in m.flags or id(m) not in among]
        self.tell_changes()
        self.ok(tag, b"EXPUNGE")

    def do_append(self, tag: bytes, arguments: Words) -> None:
        folder = self.named(arguments[0])
        if folder is None or not folder.selectable:
            self.no(tag, b"[TRYCREATE] no such folder")
            return
        given = list(_messages_of(arguments[1:]))
        if not given or (len(given) > 1 and not self.has("MULTIAPPEND")):
            raise InvalidCommand("one message at a time")
        for body, flags, _ in given:
            refusal = self.why_not_stored(folder, body, flags)
            if refusal:
                self.say(tag + b" " + refusal)
                return
        now = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime())
        uids = [self.store(folder, body, flags, date or now) for body, flags, date in given]
        self.server.appended += len(given)
        if self.folder is folder:
            self.tell_changes()
        self.ok(tag, b"APPEND", self.append_code(folder, uids) + b"stored")


def _messages_of(arguments: Words) -> Iterator[tuple[bytes, list[bytes], str]]:
    """(content, flags, date) of each message of an APPEND."""
    flags: list[bytes] = []
    date = ""
    for word in arguments:
        if isinstance(word, list):
            flags = [bytes(flag) for flag in word]
        elif isinstance(word, Literal):
            yield bytes(word), flags, date
            flags, date = [], ""
        elif _DATE.fullmatch(word):
            date = word.decode()
        else:
            raise InvalidCommand("APPEND with an unknown argument")


def _section(body: bytes, section: bytes) -> bytes:
    header = body[: body.find(b"\r\n\r\n") + 4] if b"\r\n\r\n" in body else body
    fields = re.fullmatch(rb"HEADER\.FIELDS \((.*)\)", section)
    if fields is not None:
        return _header_fields(header, fields[1].split())
    if section == b"TEXT":
        return body[len(header) :]
    if section not in (b"", b"HEADER"):
        raise InvalidCommand("FETCH of an unknown section")
    return header if section else body


def _header_fields(header: bytes, wanted: Iterable[bytes]) -> bytes:
    names = {name.lower() for name in wanted}
    kept, keeps = [], False
    for line in header.splitlines(keepends=True):
        if line[:1] not in b" \t" and line.strip():
            keeps = line.partition(b":")[0].strip().lower() in names
        if keeps and line.strip():
            kept.append(line)
    return b"".join(kept) + b"\r\n"
