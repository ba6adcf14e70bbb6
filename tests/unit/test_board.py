"""The board of everything that is under way; hosts and budgets at the console and in the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console

from importer.cli import host_commands, top_command
from importer.cli.command_table import console
from importer.cli.top_command import BoardView, board_json
from importer.domain.import_filter import ImportFilter
from importer.domain.model import Account, Import, Phase, Progress, State
from importer.domain.people.actor import Actor
from importer.domain.people.api_tokens import TokenScope
from importer.domain.planning.host_allowance import Backoff
from importer.i18n.translations import LANGUAGES, texts
from importer.service import host_overview
from importer.service.board import BoardReader
from importer.service.imports.submit import submit
from providers.endpoint import Endpoint
from providers.text import Text
from tests.unit.test_api import Panel
from tests.unit.test_service import MINUTE, Office, a_row
from tests.unit.web_office import WebOffice


def an_import(office: Office, name: str, state: State) -> Import:
    source = Account(f"{name}@old.example", f"{name}@old.example", Endpoint("imap.old.example"))
    [row] = submit(office.deps, Actor(owner="client:panel"), [a_row(source=source)]).rows
    import_ = replace(row.import_, state=state)
    office.store.update_import(import_)
    return import_


def a_pause(now: datetime) -> Backoff:
    text = Text("throttled.logins", host="imap.old.example")
    return Backoff("host imap.old.example", now + 5 * MINUTE, text)


def copying(office: Office, import_: Import, messages: int) -> None:
    progress = Progress("INBOX", 1, 2, messages, 1000, messages * 50_000, Phase.COPYING, copying_s=10.0)
    lease = office.store.acquire(f"import:{import_.id}", "worker", MINUTE)
    assert lease is not None
    office.store.save_tallies(import_.id, (), lease, progress=progress)


def filled() -> Office:
    office = Office()
    for n in range(30):
        copying(office, an_import(office, f"person-with-a-long-name-{n}", State.RUNNING), 10 + n)
    for n in range(3):
        an_import(office, f"queued{n}", State.QUEUED)
    an_import(office, "done", State.COMPLETE)
    return office


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_board_fits_a_terminal_of_80_by_24_and_begins_with_the_numbers(language: str) -> None:
    office = filled()
    out = Console(file=StringIO(), width=80, height=24, color_system=None, force_terminal=True)
    board = BoardReader(office.deps).read()
    out.print(BoardView(texts(language), board, office.clock.now(), fits=True))
    assert isinstance(out.file, StringIO)
    lines = out.file.getvalue().rstrip("\n").splitlines()
    assert len(lines) < 24
    assert all(len(line) <= 80 for line in lines)
    assert "30" in lines[0]
    assert "3" in lines[0]


def test_the_fastest_come_first_with_speed_and_time_left() -> None:
    office = filled()
    board = BoardReader(office.deps).read()
    speeds = [board.rates[import_.id].bytes_per_s for import_ in board.imports]
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[0] == 39 * 50_000 / 10
    assert board.rates[board.imports[0].id].left is not None
    assert {import_.state for import_ in board.imports} == {State.RUNNING}
    assert (board.number(State.QUEUED), board.number(State.COMPLETE)) == (3, 0)
    assert board.queue.due == 3
    facts = board_json(texts("en"), board)
    assert json.loads(json.dumps(facts))["queue"]["due"] == 3


def test_a_filter_narrows_the_board() -> None:
    office = filled()
    chosen = ImportFilter(address="name-7@", states=(State.RUNNING, State.COMPLETE))
    board = BoardReader(office.deps, chosen).read()
    assert [import_.source.address for import_ in board.imports] == ["person-with-a-long-name-7@old.example"]
    assert BoardReader(office.deps, ImportFilter(states=(State.COMPLETE,))).read().imports == ()


@pytest.fixture
def at_console(monkeypatch: pytest.MonkeyPatch) -> Office:
    office = filled()

    @contextmanager
    def standalone(_settings: object) -> Iterator[object]:
        yield office.deps

    for module in (top_command, host_commands):
        monkeypatch.setattr(module, "standalone", standalone)
    return office


def run(*words: str) -> str:
    result = CliRunner().invoke(console, [*words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_console_prints_the_board_once_without_a_terminal(at_console: Office) -> None:
    shown = run("top")
    assert "Copying: 30" in shown
    assert "3 imports wait for a worker" in shown
    assert shown.count("person-with-a-long-name-") == 30
    assert json.loads(run("top", "--json", "--address", "name-7@"))["imports"][0]["state"] == "running"
    assert at_console.store.running_legs() == 30


def test_the_console_shows_hosts_and_budgets_and_ends_a_pause(at_console: Office) -> None:
    office = at_console
    office.store.back_off(a_pause(office.clock.now()))
    shown = run("hosts")
    assert "Queued: 3 · Copying: 30 · 0 of 64 connections" in shown
    assert "Pause until " in shown
    assert "imap.old.example" in run("budgets").splitlines()
    cleared = run("budgets", "--clear", "imap.old.example", "--json")
    assert json.loads(cleared[cleared.index("{") :])["cleared"] == ["host imap.old.example"]
    assert "Pause until " not in run("hosts")


def test_the_api_shows_them_to_operators_only(office: WebOffice) -> None:
    panel = Panel(office)
    operator = Panel(office, "operator", TokenScope.READ, TokenScope.ADMIN)
    panel.start()
    office.deps.store.back_off(a_pause(office.deps.clock.now()))
    assert (panel.get("/hosts").status_code, panel.get("/budgets").status_code) == (403, 403)
    assert panel.post("/pauses/clear?name=imap.old.example").status_code == 403
    hosts = {host["host"]: host for host in operator.get("/hosts").json()}
    assert hosts["imap.old.example"]["imports"] == {"queued": 1}
    assert hosts["imap.old.example"]["pauses"][0]["reason"] == "throttled"
    assert operator.get("/budgets").json()["pauses"][0]["name"] == "host imap.old.example"
    assert operator.post("/pauses/clear?name=imap.old.example").json() == {
        "cleared": ["host imap.old.example"]
    }
    assert operator.get("/budgets").json()["pauses"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_numbers_of_a_host_are_wrapped_between_numbers(
    at_console: Office, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    for state in State:
        an_import(at_console, f"in-{state.value}", state)
    words, out = texts(language), StringIO()
    [load, _] = host_overview.hosts(at_console.deps)
    assert list(load.imports) == [state for state in State if state in load.imports]
    monkeypatch.setattr(host_commands, "stdout", Console(file=out, width=80, color_system=None))
    run("hosts", "--language", language)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    of = words.gettext("%(used)s of %(most)s connections", used="0", most="64")
    assert any(line.strip().split(" · ")[-1] == of for line in lines), lines


def test_a_budget_is_named_and_cleared_as_it_is_shown(at_console: Office) -> None:
    office = at_console
    text = Text("throttled", host="imap.old.example")
    pause = Backoff("account ada imap.old.example", office.clock.now() + 5 * MINUTE, text)
    office.store.back_off(pause)
    assert "ada imap.old.example" in run("budgets").splitlines()
    run("budgets", "--clear", "ada imap.old.example")
    assert "Pause until " not in run("budgets")
