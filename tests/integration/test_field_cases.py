"""Servers with quirks from public bug reports: no message lost, doubled or misreported.

The cases and their right outcomes are in field_cases.toml. `make test` runs a sample, `make soak` all.
"""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.installation import TIMEOUT_S, Installation
from tests.rehearsal.quirks.hooks import BARE, MODERN, PLAIN
from tests.rehearsal.quirks.mail import Mailbox, sample
from tests.rehearsal.quirks.server import quirk_server
from tests.rehearsal.quirks.session import PASSWORD
from tests.rehearsal.quirks.verdict import (
    Difference,
    Present,
    Right,
    Run,
    difference,
    faults,
    longest_s,
    read_box,
    read_user,
)

CASES: Final[Mapping[str, Mapping[str, Any]]] = tomllib.loads(
    (Path(__file__).parent / "field_cases.toml").read_text(encoding="utf-8")
)
CAPABILITIES: Final = {"MODERN": MODERN, "PLAIN": PLAIN, "BARE": BARE}
USER: Final = "reader@old.example"

MakeDovecot = Callable[[str], Dovecot]


@pytest.fixture(scope="module")
def dovecot_with(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[MakeDovecot]:
    """A Dovecot with maildirs and that separator, started at the first use."""
    with ExitStack() as stack:

        @cache
        def start(separator: str) -> Dovecot:
            options = DovecotOptions(separator=separator, mail_driver="maildir++")
            return stack.enter_context(dovecot(tmp_path_factory.mktemp("dovecot"), options, ca=ca))

        yield start


class Stage:
    """The two sides of a case, and the console between them."""

    def __init__(
        self,
        case: Mapping[str, Any],
        stack: ExitStack,
        root: Path,
        dovecot_with: MakeDovecot,
        make_user: MakeUser,
    ) -> None:
        at_source = case["side"] == "source"
        self.login = case.get("user", USER)
        box = sample() if at_source or case.get("prefilled") else Mailbox()
        capabilities = case.get("capabilities", "MODERN")
        self.odd = stack.enter_context(
            quirk_server(case["quirks"], box=box, capabilities=CAPABILITIES.get(capabilities, capabilities))
        )
        settings = dict(case.get("settings", {}))
        if at_source and case.get("other") != "quirks":
            user = make_user(dovecot_with(case.get("separator", "/")))
            settings["CA_FILE"] = str(user.ca_file)
            other = (str(user.account.endpoint), user.account.login, user.password)
            self.read_other: Callable[[], list[Present]] = lambda: read_user(user)
        else:
            other_box = Mailbox() if at_source else sample()
            plain = stack.enter_context(quirk_server(case.get("other_quirks", ()), box=other_box))
            other = (str(plain.endpoint), "reader@new.example", PASSWORD)
            self.read_other = lambda: read_box(other_box)
        odd = (str(self.odd.endpoint), self.login, PASSWORD)
        self.timeout_s = max(TIMEOUT_S, longest_s(case["right"]))
        self.at_source = at_source
        self.words = [
            *_side("from", *(odd if at_source else other)),
            *_side("to", *(other if at_source else odd)),
        ]
        passwords = (PASSWORD, other[2]) if at_source else (other[2], PASSWORD)
        self.environment = {"FROM_PASSWORD": passwords[0], "TO_PASSWORD": passwords[1]}
        self.installation = Installation(root, settings)

    def run(self, command: str, *, as_json: bool = True) -> Run:
        words = [command, *self.words, "--allow-plaintext", *(["--json"] if as_json else [])]
        logins, began = len(self.odd.logins), time.monotonic()
        done = self.installation.run(
            *words, ends=None, environment=self.environment, timeout_s=self.timeout_s
        )
        seconds = time.monotonic() - began
        report = json.loads(done.stdout) if as_json and done.stdout.startswith("{") else {}
        new_logins = len(self.odd.logins) - logins
        return Run(done.returncode, report, done.stdout, done.stderr, seconds, new_logins)

    def compare(self) -> Difference:
        odd, other = read_box(self.odd.box), self.read_other()
        return difference(odd, other) if self.at_source else difference(other, odd)


def _side(side: str, server: str, login: str, _password: str) -> list[str]:
    scheme, address = server.split("://")
    name = quote(login, safe="")
    return [f"--{side}", f"{scheme}://{name}@{address}", f"--{side}-password-env", f"{side.upper()}_PASSWORD"]


def nothing_new(right: Right | Sequence[Right], first: Run) -> Right | Sequence[Right]:
    """The right outcome of a second run if nothing changed: the same, and nothing is copied again."""
    if not isinstance(right, Mapping):
        return [one for each in right if isinstance(one := nothing_new(each, first), Mapping)]
    kept = {key: value for key, value in right.items() if key not in ("copied", "found", "seconds", "logins")}
    return kept | ({"copied": 0} if first.code in (0, 1) else {})


@pytest.mark.sampled(14, always=("F48", "F48b"))
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.get("slow")])
def test_no_message_is_lost_doubled_or_misreported(
    name: str, tmp_path: Path, dovecot_with: MakeDovecot, make_user: MakeUser
) -> None:
    run_case(CASES[name], tmp_path, dovecot_with, make_user)


@pytest.mark.sampled(0)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.get("slow")])
def test_slow_cases(name: str, tmp_path: Path, dovecot_with: MakeDovecot, make_user: MakeUser) -> None:
    run_case(CASES[name], tmp_path, dovecot_with, make_user)


def run_case(case: Mapping[str, Any], root: Path, dovecot_with: MakeDovecot, make_user: MakeUser) -> None:
    found: dict[str, list[str]] = {}
    with ExitStack() as stack:
        stage = Stage(case, stack, root, dovecot_with, make_user)
        if "check" in case:
            found["check"] = faults(stage.run("check"), case["check"], None)
        first = stage.run("copy")
        found["copy"] = faults(first, case["right"], stage.compare())
        again = case.get("again", nothing_new(case["right"], first))
        if again is not False:
            if case.get("stage"):
                stage.odd.next_stage()
            found["again"] = faults(stage.run("copy"), again, stage.compare())
        if "human" in case:
            found["human"] = faults(stage.run("copy", as_json=False), case["human"], None)
        assert set(stage.odd.logins) <= {stage.login}
    wrong = {run: lines for run, lines in found.items() if lines}
    assert not wrong, f"{case['title']}: {wrong}\n" + "\n".join(stage.installation.transcript)
