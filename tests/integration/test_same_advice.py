"""Four troubles of real hosts: the same precise advice on page, in mail, console and API, in each language.

The servers are the imitations, one of them with a certificate for another name. Pages, API, worker and
console are processes, and the mails arrive by SMTP. What must be found is what the one renderer makes of the
code that the API returns.

Page, mail, console and API of an import are read in every language; the checks before it and the foreground
copy, which take a quarter of the time, in a sample of two languages for each trouble.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from importer.bootstrap import standalone
from importer.domain.model import ImportId, State
from importer.domain.planning.retry_limits import PATIENCE
from importer.i18n.code_texts import advice, render_with_advice
from importer.i18n.translations import LANGUAGES, texts
from importer.settings import Settings
from providers.errors import Side
from providers.text import Text
from tests.browser.stage import Stage, stage
from tests.page_forms import csrf_token, hidden_fields
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.gmail import Gmail, GmailMailbox, GmailSettings
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.imitations.talk import Dialect
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.rehearsal.smtp import CaughtMail, SmtpCatcher, smtp_catcher
from tests.sampling import chance, fewer

WIDE = {"COLUMNS": "1000"}
"""A terminal that breaks no word."""
CHECKED_LANGUAGES = fewer("languages of checks", test=2, soak=len(LANGUAGES))
MAIL = b"Subject: %d\r\n\r\n" + b"x" * 900 + b"\r\n"


@dataclass(frozen=True)
class Trouble:
    """One row: the host, what it is called, and the codes of the sentence and of the provider's own steps."""

    domain: str
    code: str
    steps: str = ""
    dialect: Callable[[], Dialect] = Gmail
    certificate_for: str = ""
    seen_by_check: bool = True


TROUBLES: Mapping[str, Trouble] = {
    "all-mail-hidden": Trouble(
        "gmail.com",
        "mail_hidden.all_mail",
        dialect=lambda: Gmail(GmailSettings(hidden=frozenset({"[Gmail]/All Mail"}))),
    ),
    "passwords-refused": Trouble(
        "outlook.com",
        "login_rejected.no_passwords",
        "no_passwords_microsoft",
        dialect=lambda: Exchange(passwords=False),
    ),
    "other-certificate": Trouble(
        "old.example", "certificate_refused.other_name", certificate_for="wrong.example"
    ),
    "daily-cap": Trouble(
        "gmail.com",
        "throttled.daily_cap",
        dialect=lambda: Gmail(GmailSettings(daily_bytes=1)),
        seen_by_check=False,
    ),
}


@dataclass(frozen=True)
class Told:
    """What everybody was told of one trouble in one language, as plain text, by place."""

    places: dict[str, str]
    problem: dict[str, Any] = field(repr=False)

    @property
    def text(self) -> Text:
        stored = {"code": self.problem["detail"], "params": self.problem["params"]}
        steps = self.problem["steps"]
        return Text.from_json({**stored, "steps": steps} if steps else stored)


@pytest.fixture(scope="module")
def everything_told(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[dict[tuple[str, str], Told]]:
    """(trouble, language) -> what was told. One batch for each language, from the pages."""
    root = tmp_path_factory.mktemp("advice")
    with ExitStack() as running:
        smtp = running.enter_context(smtp_catcher())
        hosts = {
            name: running.enter_context(
                imitation(trouble.dialect(), root, ca, certificate_for=trouble.certificate_for)
            )
            for name, trouble in TROUBLES.items()
        }
        site = running.enter_context(
            stage(root / "site", old_host, new_host, SMTP_URL=smtp.url, MAIL_FROM="mailhaul@host.example")
        )
        token = site.installation.run(
            "token", "create", "panel", *("--scope", "admin", "--scope", "write", "--scope", "read")
        )
        headers = {"Authorization": f"Bearer {token.stdout.strip()}"}
        asked = [Asked(language, site, hosts, headers, smtp) for language in LANGUAGES]
        for one in asked:
            one.submit()
        for one in asked:  # the host's pause of half a minute passes for all of them together
            one.wait()
        yield {(name, one.language): told for one in asked for name, told in one.told().items()}


class Asked:
    """A person who reads this language, and imports one mailbox for each trouble."""

    def __init__(
        self,
        language: str,
        site: Stage,
        hosts: Mapping[str, Imitation],
        headers: Mapping[str, str],
        smtp: SmtpCatcher,
    ) -> None:
        self.language = language
        self.site = site
        self.headers = {**headers, "Accept-Language": language}
        self.smtp = smtp
        self.reader = new_user(site.new, f"reader-{language}@new.example")
        self.owners = {
            name: owner(hosts[name], f"{name}-{language}@{trouble.domain}")
            for name, trouble in TROUBLES.items()
        }
        self.places: dict[str, dict[str, str]] = {name: {} for name in TROUBLES}
        self.person = requests.Session()
        self.person.headers["Accept-Language"] = language
        self.ids: dict[str, str] = {}

    def submit(self) -> None:
        self.ids = submit(self.person, self.site, self.owners, self.reader)

    def wait(self) -> None:
        """See what is said while the imports wait, and in checks; then see to it that all have stopped."""
        for name, id_ in self.ids.items():
            if TROUBLES[name].seen_by_check:
                if self.language not in checked_in(name):
                    continue
                self.places[name] |= asked_before(
                    self.language, self.site, self.owners[name], self.reader, self.headers
                )
            else:
                wait_for_problem(self.site, self.headers, id_, TROUBLES[name].code)
                page = page_in_state(self.person, self.site, id_, "wait")
                self.places[name]["page, waiting"] = plain_html(page)
                self.places[name]["list, waiting"] = console(self.site, self.language, "list")
                lose_patience(self.site.installation, id_)

    def told(self) -> dict[str, Told]:
        """What is said everywhere once all imports have stopped, by trouble."""
        pages = {name: page_in_state(self.person, self.site, id_, "bad") for name, id_ in self.ids.items()}
        listed = console(self.site, self.language, "list")
        return {name: self._told(name, pages[name], listed) for name in TROUBLES}

    def _told(self, name: str, page: str, listed: str) -> Told:
        id_, site = self.ids[name], self.site
        mail = mail_about(self.smtp, self.owners[name], self.reader)
        summary = summary_for(self.smtp, self.reader)
        answer = import_of(site, self.headers, id_)
        problem, batch = answer["problem"], answer["batch_id"]
        places = {
            "page": plain_html(page),
            "page of the batch": plain_html(
                self.person.get(f"{site.url}/batches/{batch}", timeout=PATIENCE_S).text
            ),
            "mail, text": plain(part(mail, "plain")),
            "mail, HTML": plain_html(part(mail, "html")),
            "summary, text": row_of(plain(part(summary, "plain")), self.owners, name),
            "summary, HTML": row_of(plain_html(part(summary, "html")), self.owners, name),
            "API": plain(problem["message"]),
            "list, console": listed,
        }
        for word in ("show", "explain", "report"):
            places[f"{word}, console"] = console(site, self.language, word, id_)
        return Told(self.places[name] | places, problem)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TROUBLES)
def test_page_mail_console_and_api_give_the_same_precise_advice(
    name: str, language: str, everything_told: dict[tuple[str, str], Told]
) -> None:
    told, trouble = everything_told[name, language], TROUBLES[name]
    assert (told.text.code, told.text.steps.code if told.text.steps else "") == (trouble.code, trouble.steps)
    say, side = texts(language), Side(told.problem["side"])
    assert told.problem["message"] == render_with_advice(told.text, say, side)
    to_do = plain(advice(told.text, say, side))
    assert to_do
    assert {place for place, words in told.places.items() if to_do not in words} == set()


@pytest.mark.parametrize("name", TROUBLES)
def test_each_language_has_its_own_words(name: str, everything_told: dict[tuple[str, str], Told]) -> None:
    said = [everything_told[name, language].problem["message"] for language in LANGUAGES]
    assert len(set(said)) == len(LANGUAGES)


def checked_in(name: str) -> list[str]:
    """The languages in which mailboxes with that trouble are checked, too."""
    return chance(f"checks of {name}").sample(list(LANGUAGES), CHECKED_LANGUAGES)


# --- Asking everywhere ------------------------------------------------------------------------------


def owner(host: Imitation, address: str) -> User:
    """A new owner of an old mailbox with two messages."""
    user = new_user(host, address)
    mailbox = host.mailbox(address)
    for number in range(2):
        if isinstance(mailbox, GmailMailbox):
            mailbox.put(MAIL % number, ["\\Inbox"])
        else:
            mailbox.append(mailbox.folders["INBOX"], [], "02-Feb-2003 04:05:06 +0000", MAIL % number)
    return replace(user, account=replace(user.account, address=address))


def form(person: requests.Session, page: str, action: str, **fields: str) -> requests.Response:
    """Fill in and submit a form of a page."""
    shown = person.get(page, timeout=PATIENCE_S).text
    hidden = hidden_fields(shown).get(urlsplit(action).path, {})
    return person.post(action, data={**hidden, "csrf": csrf_token(shown), **fields}, timeout=PATIENCE_S)


def submit(person: requests.Session, site: Stage, owners: Mapping[str, User], reader: User) -> dict[str, str]:
    """Sign in, upload one row for each owner, and start: trouble -> id of the import."""
    login = {"address": reader.account.address, "password": reader.password}
    assert form(person, f"{site.url}/", f"{site.url}/sign-in", **login).url == f"{site.url}/new"
    file = site.installation.csv("rows.csv", [(user, reader) for user in owners.values()])
    form(person, f"{site.url}/file", f"{site.url}/file", rows=file.read_text(encoding="utf-8"))
    both = {"mail_per_mailbox": "yes"}  # the summary, which everybody gets, and a mail about each mailbox
    started = form(person, f"{site.url}/file/preview", f"{site.url}/file/start", **both)
    assert "/batches/" in started.url, plain_html(started.text)
    batch = site.installation.json("show", started.url.rpartition("/")[2])
    return dict(zip(owners, (one["id"] for one in batch), strict=True))


def asked_before(
    language: str, site: Stage, user: User, reader: User, headers: Mapping[str, str]
) -> dict[str, str]:
    """Check the two mailboxes on the pages, at the console and with the API, and copy in the foreground."""
    installation = site.installation
    _, *mailboxes = installation.copy_words(user, reader)
    told = {
        f"{place}console": plain(
            installation.run(word, *mailboxes, "--language", language, ends=None, environment=WIDE).stdout
        )
        for word, place in (("check", "check, "), ("copy", "copy, "))
    }
    order = {
        "source_address": user.account.address,
        "source_password": user.password,
        "source_server": str(user.account.endpoint),
        "destination_address": reader.account.address,
        "destination_password": reader.password,
    }
    answer = requests.post(f"{site.url}/api/v1/check", json=order, headers=dict(headers), timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    told["check, API"] = plain(answer.json()["source"]["problem"]["message"])
    with requests.Session() as visitor:
        visitor.headers["Accept-Language"] = language
        if page := checked_on_the_pages(visitor, site, user, reader):
            told["check, page"] = page
    return told


def checked_on_the_pages(visitor: requests.Session, site: Stage, user: User, reader: User) -> str:
    """What the pages say of an old mailbox: at its password form, or in the check of the review. "" for a
    host that is known to accept no passwords: the pages ask for none."""
    login = {"address": reader.account.address, "password": reader.password}
    form(visitor, f"{site.url}/", f"{site.url}/sign-in", **login)
    address = user.account.address
    asks = form(visitor, f"{site.url}/new", f"{site.url}/new", address=address, unknown=address)
    if 'name="password"' not in asks.text:
        return ""
    endpoint = user.account.endpoint
    answer = form(
        visitor,
        f"{site.url}/new/mailbox",
        f"{site.url}/new/mailbox",
        password=user.password,
        login=user.account.login,
        server=endpoint.host,
        port=str(endpoint.port),
    )
    if not answer.url.endswith("/new/review"):
        return plain_html(answer.text)
    [source] = re.findall(r'data-check="([^"]+)"', answer.text)
    [destination] = re.findall(r'name="destination" value="([^"]+)"', answer.text)
    keys = {"source": unescape(source), "destination": unescape(destination)}
    stream = visitor.get(f"{site.url}/new/check", params=keys, timeout=PATIENCE_S).text
    return plain_html("".join(json.loads(d)["html"] for d in re.findall(r"^data: (.*html.*)$", stream, re.M)))


def page_in_state(person: requests.Session, site: Stage, id_: str, tone: str) -> str:
    """The page of an import once its state has this tone: `wait`, or `bad` for stopped."""
    pages: list[str] = []

    def reached() -> bool:
        pages.append(person.get(f"{site.url}/imports/{id_}", timeout=PATIENCE_S).text)
        return f'class="pill {tone}"' in pages[-1]

    assert wait_until(reached, timeout_s=PATIENCE_S), plain_html(pages[-1])
    return pages[-1]


def console(site: Stage, language: str, *words: str) -> str:
    done = site.installation.run(*words, "--language", language, ends=None, environment=WIDE)
    return plain(done.stdout)


def lose_patience(installation: Installation, id_: str) -> None:
    """As if the host had said so for a day: the next attempt is the last one."""
    with pytest.MonkeyPatch.context() as here:
        for name, value in installation.environment().items():
            if name.startswith("MAILHAUL_"):
                here.setenv(name, value)
        with standalone(Settings.load()) as deps:
            lease = None
            while lease is None:
                lease = deps.store.acquire(f"import:{id_}", "test", timedelta(minutes=1))
            import_ = deps.store.import_(ImportId(id_))
            assert import_ is not None
            assert import_.state is State.WAITING
            deps.store.update_import(replace(import_, attempts=PATIENCE, not_before=deps.clock.now()), lease)
            deps.store.release(lease)


def import_of(site: Stage, headers: Mapping[str, str], id_: str) -> dict[str, Any]:
    """The import in the API."""
    answer = requests.get(f"{site.url}/api/v1/imports/{id_}", headers=dict(headers), timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wait_for_problem(site: Stage, headers: Mapping[str, str], id_: str, code: str) -> None:
    """Wait until the import waits over that: all of a batch wait for their turn at the new mailbox, too."""

    def waits() -> bool:
        answer = import_of(site, headers, id_)
        return answer["state"] == "waiting" and (answer["problem"] or {}).get("detail") == code

    assert wait_until(waits, timeout_s=PATIENCE_S), import_of(site, headers, id_)


def mail_about(smtp: SmtpCatcher, user: User, reader: User) -> CaughtMail:
    """The mail to the new mailbox about the import from that old one: its subject names it."""
    return only_mail(smtp, reader, lambda subject: user.account.address in subject)


def summary_for(smtp: SmtpCatcher, reader: User) -> CaughtMail:
    """The mail to the new mailbox about the whole batch: its subject names no mailbox."""
    return only_mail(smtp, reader, lambda subject: "@" not in subject)


def only_mail(smtp: SmtpCatcher, reader: User, is_wanted: Callable[[str], bool]) -> CaughtMail:
    """The one mail to the new mailbox with such a subject."""

    def arrived() -> list[CaughtMail]:
        return [mail for mail in smtp.to(reader.account.address) if is_wanted(mail.message["Subject"])]

    assert wait_until(lambda: bool(arrived()), timeout_s=PATIENCE_S), [
        (mail.recipients, mail.message["Subject"]) for mail in smtp.messages
    ]
    [mail] = arrived()
    return mail


def row_of(summary: str, owners: Mapping[str, User], name: str) -> str:
    """What a summary says of one mailbox: from its address to the next one of another."""
    _, found, after = summary.partition(owners[name].account.address)
    assert found, summary
    others = "|".join(re.escape(user.account.address) for other, user in owners.items() if other != name)
    return re.split(others, after, maxsplit=1)[0]


def part(mail: CaughtMail, kind: str) -> str:
    body = mail.message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def plain_html(html: str) -> str:
    """The text of a page as a reader sees it."""
    return plain(unescape(re.sub(r"<[^>]*>", "", re.sub(r"(?s)<(script|style)\b.*?</\1>", "", html))))


def plain(text: str) -> str:
    """`text` with single blanks: mails and terminals break lines."""
    return " ".join(text.split())
