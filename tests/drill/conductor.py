"""Executes the plan of a drill, records its history, and waits for all imports at the end."""

from __future__ import annotations

import heapq
import imaplib
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from importer.bootstrap import standalone
from importer.i18n.report_json import report_json
from importer.i18n.translations import texts
from importer.service.imports.finish import report_of
from importer.service.queries import list_imports
from importer.settings import Settings
from tests.drill import owners
from tests.drill.history import DestinationHistory, SourceHistory
from tests.drill.plan import FOLDERS, SHARED_FROM, Action, Route
from tests.drill.stage import QUOTA_BYTES, Stage
from tests.rehearsal.ports import RehearsalError, wait_until
from tests.rehearsal.snapshot import CheckerError

ENDED: Final = {"complete", "incomplete", "stopped", "failed", "cancelled"}
COMMANDS_AT_A_TIME: Final = 2
_DELIVERED_FROM: Final = 500_000
_RETRY_EVERY_S: Final = 4.0
_TROUBLE: Final = (imaplib.IMAP4.error, OSError, CheckerError, RehearsalError)
"""Errors that an owner gets while a server is unavailable."""


class Conductor:
    """Runs the actions sequentially. `log` has a line for each."""

    def __init__(self, stage: Stage, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._say = say
        self.began = datetime.now(UTC)
        self._began_s = time.monotonic()
        self.log: list[str] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._numbers = itertools.count(_DELIVERED_FROM)
        self._files = itertools.count(1)
        self._frozen_hosts: set[str] = set()
        self._submitted: list[tuple[Route, ...]] = []
        self._console = ThreadPoolExecutor(COMMANDS_AT_A_TIME)
        self.done: Counter[str] = Counter()  # actions by kind
        self.source_histories = {route.source: SourceHistory(route.source) for route in stage.plan.routes}
        self.histories = {
            number: DestinationHistory(number, user.read()) for number, user in enumerate(stage.destinations)
        }
        for number, history in self.source_histories.items():
            for folder, messages in stage.sources[number].read().folders.items():
                history.delivered(folder, (seen.digest for seen in messages), 0.0)

    def now_s(self) -> float:
        return time.monotonic() - self._began_s

    def perform(self) -> None:
        """Run all actions of the plan, each at its time or at the end of its predecessor, if later."""
        for action in self._stage.plan.actions:
            self._until(action.at_s)
            began_s = self.now_s()
            try:
                what = self._act(action)
            except _TROUBLE as error:
                what = f"not possible now: {error!r}"
            else:
                self.done[action.kind] += 1
            self.log.append(f"{began_s:6.1f}–{self.now_s():.1f} s {action.kind}: {what}")
        self._until(self._stage.plan.seconds)
        while self._later:
            heapq.heappop(self._later)[2]()

    # --- Time ------------------------------------------------------------------------------------------

    def _until(self, at_s: float) -> None:
        while self._later and self._later[0][0] <= max(at_s, self.now_s()):
            due_s, _, undo = heapq.heappop(self._later)
            time.sleep(max(0.0, due_s - self.now_s()))
            undo()
        time.sleep(max(0.0, at_s - self.now_s()))

    def _after(self, seconds: float, undo: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.now_s() + seconds, next(self._order), undo))

    # --- Actions ---------------------------------------------------------------------------------------

    def _act(self, action: Action) -> str:
        method: Callable[[Action, random.Random], str] = getattr(self, "_" + action.kind.replace(" ", "_"))
        return method(action, random.Random(f"{self._stage.plan.seed} {action.at_s}"))

    def _cut(self, action: Action, chance: random.Random) -> str:
        chance.choice((self._stage.old_line, self._stage.new_line)).cut()
        return ""

    def _cut_after_bytes(self, action: Action, chance: random.Random) -> str:
        line = chance.choice((self._stage.old_line, self._stage.new_line, self._stage.new_line))
        line.cut_after(int(action.amount))
        return f"{action.amount:.0f} bytes"

    def _mute(self, action: Action, chance: random.Random) -> str:
        line = chance.choice((self._stage.old_line, self._stage.new_line))
        line.muted = True
        self._after(action.amount, line.heal)
        return f"{action.amount} s"

    def _drip(self, action: Action, chance: random.Random) -> str:
        line = chance.choice((self._stage.old_line, self._stage.new_line))
        line.bytes_per_s = chance.choice((10_000, 40_000, 150_000))
        self._after(action.amount, line.heal)
        return f"{line.bytes_per_s} bytes/s for {action.amount} s"

    def _freeze_the_line(self, action: Action, chance: random.Random) -> str:
        line = chance.choice((self._stage.old_line, self._stage.new_line))
        line.frozen = True
        self._after(action.amount, line.heal)
        return f"{action.amount} s"

    def _refuse(self, action: Action, chance: random.Random) -> str:
        line = chance.choice((self._stage.old_line, self._stage.new_line))
        line.refusing = True
        line.cut()
        self._after(action.amount, line.heal)
        return f"{action.amount} s"

    def _kill_a_worker(self, action: Action, chance: random.Random) -> str:
        index = int(action.pick * len(self._stage.workers))
        self._stage.kill_worker(index)
        self._stage.start_worker(index)
        return str(index)

    def _stop_a_worker(self, action: Action, chance: random.Random) -> str:
        index = int(action.pick * len(self._stage.workers))
        self._stage.freeze_worker(index)
        self._after(action.amount, lambda: self._stage.thaw_worker(index))
        return f"{index} for {action.amount} s"

    def _flush_the_queue(self, action: Action, chance: random.Random) -> str:
        self._stage.queue.flush()
        return ""

    def _pause_the_queue(self, action: Action, chance: random.Random) -> str:
        self._stage.queue.pause()
        time.sleep(action.amount)
        self._stage.queue.resume()
        return f"{action.amount} s"

    def _kill_the_queue(self, action: Action, chance: random.Random) -> str:
        self._stage.queue.kill()
        time.sleep(2)
        self._stage.queue.restart()
        return ""

    def _restart_the_database(self, action: Action, chance: random.Random) -> str:
        self._stage.database.restart()
        return ""

    def _cut_off_the_database(self, action: Action, chance: random.Random) -> str:
        self._stage.database_line.frozen = True
        self._after(action.amount, self._stage.database_line.heal)
        return f"{action.amount} s, from worker 0"

    def _restart_a_server(self, action: Action, chance: random.Random) -> str:
        name = chance.choice(("old", "new"))
        if name in self._frozen_hosts:
            return "frozen"
        (self._stage.old_host if name == "old" else self._stage.new_host).restart()
        return name

    def _freeze_a_server(self, action: Action, chance: random.Random) -> str:
        name = chance.choice(("old", "new"))
        if name in self._frozen_hosts:
            return "frozen"
        group = (self._stage.old_host if name == "old" else self._stage.new_host)._process.pid
        os.killpg(group, signal.SIGSTOP)
        self._frozen_hosts.add(name)

        def thaw() -> None:
            os.killpg(group, signal.SIGCONT)
            self._frozen_hosts.discard(name)

        self._after(action.amount, thaw)
        return f"{name} for {action.amount} s"

    def _disturb_mail(self, action: Action, chance: random.Random) -> str:
        faults = self._stage.mail.faults
        counter = chance.choice(("drop_connections", "defer_recipients", "defer_data", "drop_at_data"))
        setattr(faults, counter, getattr(faults, counter) + 2)
        return counter

    # --- Owners ------------------------------------------------------------------------------------------

    def _at(self, host: str) -> None:
        """Raise RehearsalError if that server is frozen: its owners would wait for it."""
        if host in self._frozen_hosts:
            raise RehearsalError(f"the {host} server is frozen")

    def _route(self, pick: float) -> Route:
        routes = self._stage.plan.routes
        return routes[int(pick * len(routes))]

    def _fill(self, action: Action, chance: random.Random) -> str:
        self._at("new")
        user = self._stage.destinations[self._route(action.pick).destination]

        def empty() -> None:
            for _ in range(20):
                if "new" not in self._frozen_hosts:
                    owners.empty(user)
                    return

        result = owners.fill_up(user, QUOTA_BYTES)
        self._after(action.amount, empty)
        return f"{user.account.login} {result}"

    def _deliver(self, action: Action, chance: random.Random) -> str:
        self._at("old")
        route = self._route(action.pick)
        numbers = [next(self._numbers) for _ in range(int(action.amount))]
        return self._delivered(route.source, chance, numbers)

    def _deliver_shared(self, action: Action, chance: random.Random) -> str:
        self._at("old")
        route = self._route(action.pick)
        first = SHARED_FROM + route.destination * 100_000
        # The folder determines the numbers, so that no content is in two folders.
        folder = chance.randrange(len(FOLDERS))
        numbers = [first + 1000 * (folder + 1) + chance.randrange(60) for _ in range(int(action.amount))]
        return self._delivered(route.source, chance, numbers, folder)

    def _delivered(
        self, source: int, chance: random.Random, numbers: list[int], folder: int | None = None
    ) -> str:
        index = chance.randrange(len(FOLDERS)) if folder is None else folder
        user, history = self._stage.sources[source], self.source_histories[source]
        done = owners.deliver(
            user, history, FOLDERS[index], numbers, self.now_s(), seed=self._stage.plan.seed
        )
        return f"source {source}: {done}"

    def _expunge_at_the_source(self, action: Action, chance: random.Random) -> str:
        self._at("old")
        source = self._route(action.pick).source
        history = self.source_histories[source]
        done = owners.expunge(self._stage.sources[source], history, chance, int(action.amount), self.now_s)
        return f"source {source}: {done}"

    def _delete(self, action: Action, chance: random.Random) -> str:
        self._at("new")
        number = self._route(action.pick).destination
        user, history = self._stage.destinations[number], self.histories[number]
        done = owners.delete(user, history, self._stage.ledger, chance, int(action.amount), self.now_s())
        return f"destination {number}: {done}"

    def _delete_a_folder(self, action: Action, chance: random.Random) -> str:
        return self._renamed(action, chance, and_delete=True)

    def _rename_a_folder(self, action: Action, chance: random.Random) -> str:
        return self._renamed(action, chance, and_delete=False)

    def _renamed(self, action: Action, chance: random.Random, *, and_delete: bool) -> str:
        self._at("new")
        number = self._route(action.pick).destination
        done = owners.rename_folder(
            self._stage.destinations[number],
            self.histories[number],
            self._stage.ledger,
            chance,
            self.now_s(),
            and_delete=and_delete,
        )
        owners.note_if_replaced(self._stage.destinations[number], self.histories[number], self._stage.ledger)
        return f"destination {number}: {done}"

    def _change_a_UIDVALIDITY(self, action: Action, chance: random.Random) -> str:  # noqa: N802
        self._at("new")
        number = self._route(action.pick).destination
        user, history = self._stage.destinations[number], self.histories[number]
        folder = chance.choice((FOLDERS[0], *FOLDERS))
        value = 1_900_000_000 + int(action.also * 10**8)
        self._stage.new_host.doveadm(
            "mailbox", "update", "-u", user.account.login, "--uid-validity", str(value), "/".join(folder)
        )
        history.renumbered.append((self.now_s(), folder))
        owners.note_if_replaced(user, history, self._stage.ledger)
        return f"destination {number}: {'/'.join(folder)} to {value}"

    # --- Imports -----------------------------------------------------------------------------------------

    def _submit(self, action: Action, chance: random.Random) -> str:
        routes = self._stage.plan.routes
        some = routes if action.pick == 1.0 else tuple(chance.sample(routes, chance.randint(1, len(routes))))
        self._submitted.append(some)
        again = chance.random() < 0.7
        self._in_background(self._hand_in, some, again=again)
        return f"{len(some)} rows{' again' if again else ''}"

    def _submit_again(self, action: Action, chance: random.Random) -> str:
        some = self._submitted[int(action.pick * len(self._submitted))]
        for _ in range(2):
            self._in_background(self._hand_in, some, again=False)
        return f"{len(some)} rows, twice at the same time"

    def _hand_in(self, routes: tuple[Route, ...], *, again: bool) -> None:
        file = self._stage.file(f"file-{next(self._files)}.csv", routes)
        self._stage.installation.run("batch", str(file), *(("--again",) if again else ()))

    def _in_background(self, call: Callable[..., object], *words: Any, **options: Any) -> None:
        """Run a command of the console; errors are logged."""

        def run() -> None:
            try:
                call(*words, **options)
            except Exception as error:
                text = str(error).strip()[-300:]
                self.log.append(f"{self.now_s():6.1f} s command: {type(error).__name__}: {text}")

        self._console.submit(run)

    def reports(self) -> list[dict[str, Any]]:
        """The reports of all imports so far, as the console and the API show them."""
        installation = self._stage.installation
        settings = Settings.load(
            data=installation.data,
            database_url=installation.settings["DATABASE_URL"],
            redis_url=self._stage.queue.url,
        )
        with standalone(settings) as deps:
            return [
                report_json(texts("en"), report_of(deps, import_))
                for import_ in list_imports(deps, limit=1000)
            ]

    def _pause(self, action: Action, chance: random.Random) -> str:
        self._after(action.amount, self._resume_all)
        return f"{self._control('pause', action)} for {action.amount} s"

    def _resume_all(self) -> None:
        for id_, state in self._stage.ledger.states().items():
            if state == "paused":
                self._in_background(self._stage.installation.run, "resume", id_, ends=None)

    def _cancel(self, action: Action, chance: random.Random) -> str:
        return self._control("cancel", action)

    def _retry(self, action: Action, chance: random.Random) -> str:
        return self._control("retry", action)

    def _control(self, word: str, action: Action) -> str:
        going = self._going()
        if not going:
            return "none is going"
        one = going[int(action.pick * len(going))]
        self._in_background(self._stage.installation.run, word, one, ends=None)
        return one

    def _going(self) -> list[str]:
        return [id_ for id_, state in self._stage.ledger.states().items() if state not in ENDED]

    # --- The end -----------------------------------------------------------------------------------------

    def come_to_rest(self, timeout_s: float) -> bool:
        """Wait until all imports have ended, and retry waiting ones immediately. Returns whether all
        ended."""
        self._finish_console()
        until_s = self.now_s() + timeout_s
        while self.now_s() < until_s:
            if not self._going():
                return True
            for id_, state in self._stage.ledger.states().items():
                if state in {"waiting", "paused", "queued"}:
                    self._stage.installation.run("resume", id_, ends=None)
            wait_until(lambda: not self._going(), timeout_s=_RETRY_EVERY_S, every_s=0.5)
        return False

    def _finish_console(self) -> None:
        """Wait for the commands that are running."""
        self._console.shutdown()
        self._console = ThreadPoolExecutor(COMMANDS_AT_A_TIME)

    def heal(self) -> None:
        """End every fault."""
        for line in (self._stage.old_line, self._stage.new_line, self._stage.database_line):
            line.heal()
        for index in range(len(self._stage.workers)):
            self._stage.thaw_worker(index)
        for user in self._stage.destinations:
            owners.empty(user)

    def hand_in_all(self) -> None:
        """Submit every route once more."""
        self._hand_in(self._stage.plan.routes, again=True)
