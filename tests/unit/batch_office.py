"""An administrator with a batch of many mailboxes, for tests of its pages and mails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from importer.domain.import_filter import ImportFilter
from importer.domain.model import BatchId, Import, Phase, Problem, Progress, State
from providers.endpoint import Secret
from providers.errors import Side
from providers.master_user import MasterUser
from providers.text import Text
from tests.fakes.mailbox_access import MemoryAccess
from tests.unit.web_office import HOST, Browser, WebOffice

HEAD = "source_address,source_password,source_server,destination_address,destination_password\n"
WRONG_PASSWORD = Problem(Text("login_rejected", host="imap.old.example"), Side.SOURCE, "AUTHENTICATIONFAILED")


class CountedStore:
    """A store that counts the calls of its methods."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if not callable(method):
            return method

        def counted(*args: Any, **named: Any) -> Any:
            self.calls[name] += 1
            return method(*args, **named)

        return counted


@dataclass
class BatchOffice:
    """it@new.example administers new.example and has submitted a file of `rows` mailboxes, of which the last
    `google` ones wait for their owners."""

    root: Path
    rows: int = 25
    google: int = 2
    web: WebOffice = field(init=False)
    admin: Browser = field(init=False)
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.web = WebOffice(
            self.root,
            access=MemoryAccess(frozenset({"google"})),
            master=MasterUser(HOST, "overseer", Secret("m4ster")),
            administrators={"it@new.example": frozenset({"new.example"})},
        )
        self.admin = self.web.browser()
        self.admin.sign_in("it@new.example")
        passwords = self.rows - self.google
        lines = [f"u{n}@old.example,x,imap.old.example,u{n}@new.example," for n in range(passwords)]
        lines += [f"g{n}@gmail.com,,,g{n}@new.example," for n in range(self.google)]
        self.admin.post("/file", rows=HEAD + "\n".join(lines) + "\n")
        self.path = str(self.admin.post("/file/start").headers["location"])

    @property
    def imports(self) -> list[Import]:
        batch = BatchId(self.path.rpartition("/")[2])
        return list(self.web.deps.store.imports(ImportFilter(batch_id=batch), limit=100))

    def set(self, row: int, state: State, problem: Problem | None = None, **facts: Any) -> Import:
        """Put the import of that row, counted from 0, into a state."""
        import_ = self.imports[row]
        store = self.web.deps.store
        lease = store.acquire(f"import:{import_.id}", "test", timedelta(minutes=1))
        assert lease is not None
        progress = facts.pop("progress", import_.progress)
        store.save_tallies(import_.id, [], lease, progress=progress)
        changed = replace(import_, state=state, problem=problem, progress=progress, **facts)
        store.update_import(changed, lease)
        store.release(lease)
        return changed

    def mixed(self) -> None:
        """Three stopped, four running, the owners awaited, ten complete, the rest queued."""
        now = self.web.deps.clock.now()
        for row in range(10):
            done = Progress("", 3, 3, 300 + row, 300 + row, 1_000_000)
            self.set(row, State.COMPLETE, progress=done, started_at=now, finished_at=now)
        for row in range(10, 13):
            self.set(row, State.STOPPED, WRONG_PASSWORD, finished_at=now)
        for row in range(13, 17):
            some = Progress("INBOX", 1, 3, 100, 400, 1_000_000, Phase.COPYING, copying_s=10.0)
            self.set(row, State.RUNNING, progress=some, started_at=now - timedelta(seconds=10))

    def counted(self) -> tuple[Browser, CountedStore]:
        """The administrator's browser on an installation whose store counts its calls."""
        counted = CountedStore(self.web.deps.store)
        self.web.pages.state.site = replace(
            self.web.pages.state.site, deps=replace(self.web.pages.state.site.deps, store=counted)
        )
        return self.admin, counted
