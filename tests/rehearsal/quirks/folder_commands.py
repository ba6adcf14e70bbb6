"""Commands of a quirk server that concern folders."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.rehearsal.quirks.hooks import Hooks
from tests.rehearsal.quirks.mail import Folder
from tests.rehearsal.quirks.wire import InvalidCommand, Words, quoted


class FolderCommands(Hooks):
    """NAMESPACE, LIST, LSUB, STATUS, CREATE, DELETE, SUBSCRIBE, SELECT, EXAMINE, CLOSE, UNSELECT."""

    def ok(self, tag: bytes, command: bytes, text: bytes = b"done") -> None:
        self.ended_well(tag, command, text)

    def no(self, tag: bytes, text: bytes) -> None:
        self.say(tag + b" NO " + text)

    def do_namespace(self, tag: bytes, _arguments: Words) -> None:
        self.say(b'* NAMESPACE (("" ' + self.delimiter() + b")) NIL NIL")
        self.ok(tag, b"NAMESPACE")

    def do_list(self, tag: bytes, arguments: Words) -> None:
        self._list(tag, b"LIST", arguments)

    def do_lsub(self, tag: bytes, arguments: Words) -> None:
        self._list(tag, b"LSUB", arguments)

    def _list(self, tag: bytes, command: bytes, arguments: Words) -> None:
        selection: list[bytes] = []
        if isinstance(arguments[0], list):
            selection, arguments = [one.upper() for one in arguments[0]], arguments[1:]
        reference, patterns = bytes(arguments[0]), arguments[1]
        patterns = patterns if isinstance(patterns, list) else [patterns]
        returning: Words = []
        if len(arguments) > 3 and arguments[2].upper() == b"RETURN":
            returning = [one.upper() if isinstance(one, bytes) else one for one in arguments[3]]
        if patterns == [b""]:
            self.say(b'* %s (\\Noselect) %s ""' % (command, self.delimiter()))
            self.ok(tag, command)
            return
        only_subscribed = command == b"LSUB" or b"SUBSCRIBED" in selection
        wanted = [self._pattern(reference + bytes(one)) for one in patterns]
        for folder in self.list_folders(command, returning):
            if only_subscribed and not folder.subscribed:
                continue
            if any(one.fullmatch(folder.name) for one in wanted):
                self.say(b"* " + self.list_line(command, folder, returning))
                if b"STATUS" in returning and folder.selectable:
                    self.tell_status(folder, returning[returning.index(b"STATUS") + 1])
        if command == b"LSUB":
            for name in self.box.subscriptions_to_nothing:
                self.say(b"* LSUB () %s %s" % (self.delimiter(), quoted(name)))
        self.ok(tag, command)

    def _pattern(self, text: bytes) -> re.Pattern[bytes]:
        level = b"[^%s]*" % re.escape(self.box.delimiter) if self.box.delimiter else b".*"
        wild = {b"*": b".*", b"%": level}
        parts = [wild.get(part, re.escape(part)) for part in re.split(rb"([*%])", text)]
        return re.compile(b"".join(parts), re.DOTALL | (re.IGNORECASE if text.upper() == b"INBOX" else 0))

    def do_status(self, tag: bytes, arguments: Words) -> None:
        folder = self.named(arguments[0])
        if folder is None or not folder.selectable:
            self.no(tag, b"[NONEXISTENT] no such folder")
            return
        self.tell_status(folder, arguments[1])
        self.ok(tag, b"STATUS")

    def tell_status(self, folder: Folder, items: Sequence[bytes]) -> None:
        numbers = self.status_numbers(folder)
        values = [
            b"%s %s" % (item.upper(), numbers[item.upper()]) for item in items if item.upper() in numbers
        ]
        self.say(b"* STATUS %s (%s)" % (self.list_name(folder), b" ".join(values)))

    def do_create(self, tag: bytes, arguments: Words) -> None:
        name = bytes(arguments[0])
        if self.named(name) is not None:
            self.no(tag, b"[ALREADYEXISTS] there is one of that name")
            return
        self.box.create(name)
        self.ok(tag, b"CREATE")

    def do_delete(self, tag: bytes, arguments: Words) -> None:
        folder = self.named(arguments[0])
        if folder is None or folder is self.box.inbox:
            self.no(tag, b"[NONEXISTENT] no such folder")
            return
        del self.box.folders[folder.name]
        self.ok(tag, b"DELETE")

    def do_subscribe(self, tag: bytes, arguments: Words) -> None:
        self._subscribe(tag, b"SUBSCRIBE", arguments, wanted=True)

    def do_unsubscribe(self, tag: bytes, arguments: Words) -> None:
        self._subscribe(tag, b"UNSUBSCRIBE", arguments, wanted=False)

    def _subscribe(self, tag: bytes, command: bytes, arguments: Words, *, wanted: bool) -> None:
        folder = self.named(arguments[0])
        if folder is None:
            self.no(tag, b"[NONEXISTENT] no such folder")
            return
        folder.subscribed = wanted
        self.ok(tag, command)

    def do_select(self, tag: bytes, arguments: Words) -> None:
        self._open(tag, b"SELECT", arguments)

    def do_examine(self, tag: bytes, arguments: Words) -> None:
        self._open(tag, b"EXAMINE", arguments)

    def _open(self, tag: bytes, command: bytes, arguments: Words) -> None:
        self.folder = None
        folder = self.named(arguments[0])
        if folder is None or not folder.selectable:
            self.no(tag, b"[NONEXISTENT] no such folder")
            return
        self.folder, self.read_only, self.view = folder, command == b"EXAMINE", list(folder.messages)
        for line in self.opening_lines(folder):
            self.say(b"* " + line)
        code = b"[READ-ONLY]" if self.read_only else b"[READ-WRITE]"
        self.ok(tag, command, code + b" open")

    def do_close(self, tag: bytes, _arguments: Words) -> None:
        if self.folder is not None and not self.read_only:
            kept = [message for message in self.folder.messages if rb"\Deleted" not in message.flags]
            self.folder.messages[:] = kept
        self.folder = None
        self.ok(tag, b"CLOSE")

    def do_unselect(self, tag: bytes, _arguments: Words) -> None:
        self.folder = None
        self.ok(tag, b"UNSELECT")

    def opened(self) -> Folder:
        if self.folder is None:
            raise InvalidCommand("open a folder first")
        return self.folder

    def tell_changes(self) -> None:
        """Send the changes of the open folder since the last such report."""
        if self.folder is None:
            return
        present = set(map(id, self.folder.messages))
        for number in range(len(self.view), 0, -1):
            if id(self.view[number - 1]) not in present:
                self.say(b"* %d EXPUNGE" % number)
                del self.view[number - 1]
        if len(self.view) != len(self.folder.messages):
            self.view = list(self.folder.messages)
            self.say(b"* %d EXISTS" % len(self.view))
