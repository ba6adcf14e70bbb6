"""Secrets appear nowhere: not in the database, the queue, the logs, the mails or any output."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from importer.bootstrap import queued
from importer.domain.csv_import.column_names import USUAL_COLUMNS
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Account
from importer.domain.people.actor import Actor
from importer.service.access.consent_requests import links
from importer.service.imports.submit import submit
from importer.settings import Settings
from providers.endpoint import Endpoint, Secret
from providers.errors import Side
from tests.conftest import MakeUser
from tests.page_forms import csrf_token, hidden_fields
from tests.rehearsal.applications import application
from tests.rehearsal.authority import Authority, authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.server import imitation
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import PATIENCE_S, free_ports, listens, wait_until
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.sample import sample_mailbox
from tests.rehearsal.scripted import scripted_server
from tests.rehearsal.smtp import SmtpCatcher
from tests.rehearsal.valkey import Valkey

CLIENT_SECRET = "Canary~client-secret"
CANARIES = ('Canary-Old-1 "x', "Canary-New-2 ü\\x", "Canary-Bad-3 ü'x")


def spellings(secret: str) -> set[bytes]:
    """The encodings in which a secret could appear."""
    raw = secret.encode()
    login = b"\0".join((b"", b"ada@old.example", raw))
    inner = base64.b64encode(raw)[:-4]
    return {
        raw,
        secret.encode("latin-1"),
        secret.encode("ascii", "backslashreplace"),
        quote(secret).encode(),
        inner,
        base64.b64encode(login),
        raw.hex().encode(),
        secret.split(maxsplit=1)[0].encode(),
    }


def test_a_whole_batch_leaves_no_password_anywhere(
    tmp_path: Path,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    smtp: SmtpCatcher,
    valkey_server: Valkey,
) -> None:
    old = new_user(old_host, "canary@old.example", CANARIES[0])
    new = new_user(new_host, "canary@new.example", CANARIES[1])
    other = make_user(old_host)
    old.fill(sample_mailbox())
    wrong = User(other.account, CANARIES[2], other.ca_file)
    installation = Installation(
        tmp_path,
        {
            "CA_FILE": str(new_host.ca_file),
            "SMTP_URL": smtp.url,
            "ALLOW_PLAINTEXT": "true",
            "REDIS_URL": valkey_server.url,
            "LOG_LEVEL": "debug",
            "TICK_SECONDS": "1",
        },
    )
    rows = [(old, new), (wrong, make_user(new_host))]
    file = tmp_path / "people.csv"
    header = "source_address;source_password;source_server;"
    header += "destination_address;destination_password;destination_server"
    file.write_text(
        "\n".join(
            [header]
            + [
                ";".join(
                    [
                        a.account.address,
                        '"' + a.password.replace('"', '""') + '"',
                        str(a.account.endpoint),
                        b.account.address,
                        '"' + b.password.replace('"', '""') + '"',
                        str(b.account.endpoint),
                    ]
                )
                for a, b in rows
            ]
        )
    )
    queued = installation.json("batch", str(file))
    in_queue = dump(valkey_server)
    with installation.worker():
        installation.run("watch", queued[0]["batch_id"], ends=3)
        smtp.wait_for(2)  # about the mailboxes that a login proved
        installation.json("list")
        installation.run("show", queued[0]["batch_id"])
        installation.run("report", queued[0]["batch_id"], ends=3)
        installation.run("doctor", ends=None)
    file.unlink()

    places = {
        "queue": in_queue + dump(valkey_server),
        "log": installation.log().encode(),
        "output": "".join(installation.transcript).encode(),
        "mails": b"".join(mail.message.as_bytes() for mail in smtp.messages),
    }
    for path in installation.data.rglob("*"):
        if path.is_file():
            places[str(path)] = path.read_bytes()
    assert len(places["log"]) > 200
    assert any("mailhaul.db" in name for name in places)
    leaks = [
        (name, canary)
        for name, content in places.items()
        for canary in CANARIES
        for spelling in spellings(canary)
        if spelling in content
    ]
    assert leaks == []


def test_signing_in_and_the_pages_leave_no_secret_anywhere(
    tmp_path: Path,
    ca: CertificateAuthority,
    old_host: Dovecot,
    new_host: Dovecot,
    smtp: SmtpCatcher,
    valkey_server: Valkey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tokens, links, cookies and form input are checked while imports run and afterwards."""
    [port] = free_ports()
    url = f"http://localhost:{port}"
    with authority(ca) as provider:
        options = DovecotOptions(introspection_url=provider.introspection_url)
        settings = {
            "CA_FILE": str(ca.ca_file),
            "SMTP_URL": smtp.url,
            "REDIS_URL": valkey_server.url,
            "LOG_LEVEL": "debug",
            "TICK_SECONDS": "1",
            "ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "DESTINATION_SERVER": str(new_host.imaps),
            "WEB_LISTEN": f"127.0.0.1:{port}",
            **application(provider, "microsoft", url, secret=CLIENT_SECRET),
        }
        installation = Installation(tmp_path, settings)
        with dovecot(tmp_path / "token-host", options, ca=ca) as token_host, pages(installation, port):
            old = new_user(token_host, f"owner{port}@team.example")
            old.fill(sample_mailbox())
            new = new_user(new_host, f"reader{port}@new.example", CANARIES[1])
            other = new_user(old_host, f"other{port}@old.example", CANARIES[0])
            secrets = {*CANARIES, CLIENT_SECRET}
            link = start_waiting_import(installation, monkeypatch, old, new)
            secrets.add(link.rpartition("/")[2])
            before = stored_bytes(installation) + dump(valkey_server)
            with installation.worker(), requests.Session() as person, requests.Session() as owner:
                smtp.wait_for(1)  # the mail with the link
                fill_in_forms(person, url, new, other)
                secrets |= use_control_panel(installation, url, new)
                owner_signs_in(owner, link, provider)
                while_under_way = stored_bytes(installation) + dump(valkey_server)
                for session in (person, owner):
                    secrets |= {cookie.value or "" for cookie in session.cookies if cookie.name != "language"}
                smtp.wait_for(1 + 2 + 1)  # the person's server proves no old address
            assert [import_["state"] for import_ in installation.json("list")] == ["complete", "complete"]
        for token in provider.rules.tokens:
            secrets |= {token.access_token, token.refresh_token}
    secrets.discard("")
    assert len(secrets) >= 12
    to_owner = smtp.to(old.account.address)[0].message.as_bytes()
    assert secrets_in(to_owner.replace(b"=\r\n", b"").replace(b"=\n", b""), secrets) == {
        link.rpartition("/")[2]
    }
    places = {
        "before": before,
        "while it runs": while_under_way,
        "after": stored_bytes(installation) + dump(valkey_server),
        "log": installation.log().encode(),
        "output": "".join(installation.transcript).encode(),
        "mails": b"".join(m.message.as_bytes() for m in smtp.messages if m.message.as_bytes() != to_owner),
    }
    assert {name: leaks for name, place in places.items() if (leaks := secrets_in(place, secrets))} == {}


def secrets_in(place: bytes, secrets: Iterable[str]) -> set[str]:
    return {secret for secret in secrets if any(spelling in place for spelling in spellings(secret))}


def stored_bytes(installation: Installation) -> bytes:
    """The contents of the data files, without the log."""
    return b"".join(path.read_bytes() for path in sorted(installation.data.rglob("*")) if path.is_file())


@contextmanager
def pages(installation: Installation, port: int) -> Iterator[None]:
    process = start_group(
        [*installation.command, "web"], installation.log_file, environment=installation.environment()
    )
    try:
        assert wait_until(lambda: listens(port)), installation.log()
        yield
    finally:
        stop_group(process, patience_s=10)


def start_waiting_import(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, old: User, new: User
) -> str:
    """Start an import that waits for its owner, and return the owner's link."""
    with monkeypatch.context() as here:
        for name, value in installation.environment().items():
            if name.startswith("MAILHAUL_"):
                here.setenv(name, value)
        with queued(Settings.load()) as deps:
            row = Row(1, old.account, None, new.account, Secret(new.password), "microsoft")
            [placed] = submit(deps, Actor(), [row]).rows
            return links(deps, [placed.import_])[placed.import_.id][Side.SOURCE]


def form(session: requests.Session, page: str, action: str, **fields: str) -> requests.Response:
    """Fill in and submit a form of a page, as a browser does."""
    response = session.get(page, timeout=PATIENCE_S)
    hidden = hidden_fields(response.text).get(urlsplit(action).path, {})
    data = {**hidden, "csrf": csrf_token(response.text), **fields}
    return session.post(action, data=data, timeout=PATIENCE_S)


def fill_in_forms(session: requests.Session, url: str, new: User, other: User) -> None:
    """Enter wrong and right passwords, and a file with mistakes."""
    for password in (CANARIES[2], new.password):
        form(session, f"{url}/", f"{url}/sign-in", address=new.account.address, password=password)
    form(session, f"{url}/new", f"{url}/new", address=other.account.address, unknown=other.account.address)
    server = {"server": other.account.endpoint.host, "port": str(other.account.endpoint.port)}
    for password in (CANARIES[2], other.password):
        answer = form(session, f"{url}/new/mailbox", f"{url}/new/mailbox", password=password, **server)
    assert answer.url == f"{url}/new/review", answer.text
    [destination] = re.findall(r'name="destination" value="([^"]+)"', answer.text)
    rows = f"{','.join(USUAL_COLUMNS)}\n{CANARIES[2]},{CANARIES[2]},{CANARIES[2]}\n"
    form(session, f"{url}/file", f"{url}/file", rows=rows)
    assert not secrets_in(session.get(f"{url}/file/preview", timeout=PATIENCE_S).content, CANARIES)
    assert not secrets_in(session.get(f"{url}/file/annotated.csv", timeout=PATIENCE_S).content, CANARIES)
    started = form(session, f"{url}/new/review", f"{url}/new/start", destination=destination)
    assert "/batches/" in started.url


def owner_signs_in(session: requests.Session, link: str, provider: Authority) -> None:
    """Sign in through the link, first with another account."""
    for account in ("grace@team.example", ""):
        page = form(session, link, link).text
        [location] = re.findall(r'http-equiv="refresh" content="0;url=([^"]+)"', page)
        answer = provider.browse(unescape(location), account=account)
        back = f"{link.partition('/consent/')[0]}/sign-in/microsoft"
        response = session.get(back, params=answer, timeout=PATIENCE_S)
    assert response.status_code == 200, response.text


def use_control_panel(installation: Installation, url: str, new: User) -> set[str]:
    """Send invalid requests as a control panel, and return its token."""
    token = installation.run("token", "create", "panel", "--scope", "write").stdout.strip()
    installation.transcript.remove(f"{token}\n")  # the token is shown only here
    for password in (CANARIES[2], 7, {CANARIES[2]: CANARIES[2]}):
        body = {
            "imports": [
                {
                    "source": {"address": "x@old.example", "password": password, CANARIES[2]: ""},
                    "destination": {"address": new.account.address, "password": new.password},
                }
            ]
        }
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "first"}
        answer = requests.post(f"{url}/api/v1/batches", json=body, headers=headers, timeout=PATIENCE_S)
        assert answer.status_code == 422
        assert not secrets_in(answer.content, [token, new.password])
    return {token}


def dump(valkey: Valkey) -> bytes:
    """The contents of the queue."""
    client = valkey.client()
    return b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())


# --- Failing paths ----------------------------------------------------------------------------------

FAILING = ("echo", "alert", "bye", "certificate", "no-imap", "no-server", "no-name")
"""How the old host fails. The first three repeat the password that they refuse."""


def failing_passwords() -> dict[str, str]:
    return {path: f"Canary~{path}~{number}ü" for number, path in enumerate(FAILING)}


@contextmanager
def failing_hosts(
    root: Path, ca: CertificateAuthority, passwords: Mapping[str, str]
) -> Iterator[dict[str, Endpoint]]:
    """Way of failing -> its server."""
    with ExitStack() as running:
        hosts = {
            path: running.enter_context(imitation(Exchange(), root, ca, certificate_for=name))
            for path, name in (("echo", ""), ("alert", ""), ("bye", ""), ("certificate", "wrong.example"))
        }
        echoes = {path: f"NO wrong: {passwords[path]}" for path in FAILING}
        hosts["echo"].says("AUTHENTICATE", echoes["echo"], times=99)
        hosts["alert"].says("AUTHENTICATE", f"NO [ALERT] never {passwords['alert']}", times=99)
        hosts["bye"].says("AUTHENTICATE", echoes["bye"], times=99, closes=f"Bye, {passwords['bye']}")
        smtp_like = running.enter_context(scripted_server(greeting=b"220 mail.example ESMTP\r\n"))
        [closed] = free_ports()
        yield {
            **{path: host.imaps for path, host in hosts.items()},
            "no-imap": smtp_like.endpoint,
            "no-server": Endpoint("localhost", closed),
            "no-name": Endpoint("imap.nowhere.invalid"),
        }


def test_no_way_of_failing_tells_a_secret(
    tmp_path: Path,
    ca: CertificateAuthority,
    new_host: Dovecot,
    smtp: SmtpCatcher,
    valkey_server: Valkey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Refused logins that repeat the password, TLS, connections, names, rows, requests, sign-ins."""
    [port] = free_ports()
    url = f"http://localhost:{port}"
    passwords = failing_passwords()
    code = "Canary-code-4711"
    with authority(ca) as provider, failing_hosts(tmp_path, ca, passwords) as hosts:
        settings = {
            "CA_FILE": str(ca.ca_file),
            "SMTP_URL": smtp.url,
            "REDIS_URL": valkey_server.url,
            "ALLOW_PLAINTEXT": "true",
            "LOG_LEVEL": "debug",
            "TICK_SECONDS": "1",
            "ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "DESTINATION_SERVER": str(new_host.imaps),
            "WEB_LISTEN": f"127.0.0.1:{port}",
            **application(provider, "microsoft", url, secret=CLIENT_SECRET),
        }
        installation = Installation(tmp_path, settings)
        new = new_user(new_host, f"reader{port}@new.example", CANARIES[1])
        old = User(
            replace(new.account, address=f"o{port}@outlook.com", login=f"o{port}@outlook.com"), "", ca.ca_file
        )
        rows = [
            (
                User(
                    Account(f"{path}@old.example", f"{path}@old.example", endpoint),
                    passwords[path],
                    ca.ca_file,
                ),
                new,
            )
            for path, endpoint in hosts.items()
        ]
        seen: list[bytes] = []
        link = start_waiting_import(installation, monkeypatch, old, new)
        with pages(installation, port), installation.worker(), requests.Session() as person:
            login = {"address": new.account.address, "password": new.password}
            form(person, f"{url}/", f"{url}/sign-in", **login)
            file = installation.csv("rows.csv", rows).read_text(encoding="utf-8")
            bad = f"{file}{passwords['echo']},{passwords['bye']},imaps://x:{passwords['alert']}@y,a,{passwords['bye']},\n"
            (tmp_path / "bad.csv").write_text(bad, encoding="utf-8")
            installation.run("batch", str(tmp_path / "bad.csv"), ends=2)
            form(person, f"{url}/file", f"{url}/file", rows=bad)
            seen += [
                person.get(f"{url}/file/{page}", timeout=PATIENCE_S).content
                for page in ("preview", "annotated.csv")
            ]
            form(person, f"{url}/file", f"{url}/file", rows=file)
            each = {"mail_per_mailbox": "yes"}  # those mails quote the server
            started = form(person, f"{url}/file/preview", f"{url}/file/start", **each)
            assert "/batches/" in started.url
            assert wait_until(lambda: has_failed(installation, len(rows)), timeout_s=120), installation.json(
                "list"
            )
            found = installation.json("list")
            seen += [person.get(f"{url}/imports/{one['id']}", timeout=PATIENCE_S).content for one in found]
            seen += [started.content, owner_fails(link, provider, code)]
            token = installation.run(
                "token", "create", "panel", "--scope", "write", "--scope", "read"
            ).stdout.strip()
            installation.transcript.remove(f"{token}\n")
            for user, _ in rows:
                seen.append(asked_of_the_api(url, token, user, new))
                words = installation.copy_words(user, new)
                installation.run("check", *words[1:], ends=None)
                if user is rows[0][0]:  # others would wait
                    installation.run(*words, ends=None)
            for word in ("list", "audit", "doctor"):
                installation.run(word, ends=None)
            for one in found:
                for word in ("show", "explain", "report"):
                    installation.run(word, one["id"], ends=None)
            smtp.wait_for(3)
            stored = stored_bytes(installation) + dump(valkey_server)
    codes = {(one["problem"] or {}).get("code") for one in found}
    assert {"login_rejected", "certificate_refused", "not_an_imap_server"} <= codes
    assert codes & {"host_unknown", "host_forbidden", "server_unavailable"}
    places = {
        "answers": b"".join(seen),
        "stored": stored + stored_bytes(installation),
        "log": installation.log().encode(),
        "output": "".join(installation.transcript).encode(),
        "mails": b"".join(mail.message.as_bytes() for mail in smtp.messages),
    }
    assert "•••".encode() in places["output"], "the host repeated the password, and it was struck out"
    secrets = {*passwords.values(), *CANARIES, CLIENT_SECRET, token, code}
    assert {name: leaks for name, place in places.items() if (leaks := secrets_in(place, secrets))} == {}


def has_failed(installation: Installation, number: int) -> bool:
    """Whether that many imports wait or have stopped, apart from the one that waits for its owner."""
    found: list[dict[str, Any]] = installation.json("list")
    failed = [one for one in found if one["problem"] and one["problem"]["code"] != "consent_needed"]
    return len(failed) >= number


def asked_of_the_api(url: str, token: str, user: User, new: User) -> bytes:
    """Check a mailbox and send invalid requests with its password; all answers."""
    headers = {"Authorization": f"Bearer {token}"}
    row = {
        "source_address": user.account.address,
        "source_password": user.password,
        "source_server": str(user.account.endpoint),
        "destination_address": new.account.address,
        "destination_password": new.password,
    }
    wrong = (
        {**row, "source_address": user.password},
        {**row, "source_password": [user.password]},
        {**row, "source_server": f"imaps://a:{user.password}@b"},
        {**row, "labels": user.password},
    )
    answers = [requests.post(f"{url}/api/v1/check", json=row, headers=headers, timeout=PATIENCE_S)]
    answers += [
        requests.post(f"{url}/api/v1/imports", json=one, headers=headers, timeout=PATIENCE_S) for one in wrong
    ]
    answers.append(
        requests.post(
            f"{url}/api/v1/imports", data=f"{{{user.password}".encode(), headers=headers, timeout=PATIENCE_S
        )
    )
    answers.append(
        requests.get(
            f"{url}/api/v1/imports", headers={"Authorization": f"Bearer {token}x"}, timeout=PATIENCE_S
        )
    )
    assert {answer.status_code for answer in answers} <= {200, 401, 422}
    return b"".join(answer.content for answer in answers)


def owner_fails(link: str, provider: Authority, code: str) -> bytes:
    """Deny access at the host, and come back with a code that it never issued; the pages."""
    back = f"{link.partition('/consent/')[0]}/sign-in/microsoft"
    content = b""
    with requests.Session() as owner:
        for answer, changes in (("deny", {}), ("allow", {"code": code})):
            page = form(owner, link, link).text
            [location] = re.findall(r'http-equiv="refresh" content="0;url=([^"]+)"', page)
            returned = provider.browse(unescape(location), answer=answer)
            content += owner.get(back, params={**returned, **changes}, timeout=PATIENCE_S).content
    return content
