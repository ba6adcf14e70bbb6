"""The console without servers: what it refuses, and what its help shows."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from importer.adapters.store import open_engine
from importer.adapters.store.schema import migrate
from importer.cli.command_table import console
from importer.cli.exit_codes import Usage, run
from importer.cli.mailbox_options import account
from importer.domain.csv_import.csv_files import template
from importer.settings import Settings
from providers.endpoint import PasswordInServer, parse_server


@pytest.fixture
def mailhaul(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Console:
    for variable, _, _ in Settings.table():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MAILHAUL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return Console(monkeypatch, capfd)


class Console:
    """`mailhaul WORDS` in this process: the exit code, and all that it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: str) -> tuple[int, str]:
        self._monkeypatch.setattr("sys.argv", ["mailhaul", *words])
        code = run(console)
        told = self._capfd.readouterr()
        return code, told.out + told.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("copy", "--form", "ada@old.example"), "No such option '--form'"),
        (("copy",), "Missing option '--from'"),
        (("cpoy",), "No such command 'cpoy'. Did you mean 'copy'?"),
        (("token", "crate"), "No such command 'crate'"),
        (("show",), "Missing argument 'ID'"),
        (("copy", "--labels", "some"), "'some' is not one of"),
    ],
)
def test_what_is_mistyped_is_told_in_a_line_and_where_help_is(
    mailhaul: Console, words: tuple[str, ...], problem: str
) -> None:
    code, told = mailhaul(*words)
    assert code == 2
    assert problem in told
    assert "--help`." in told
    assert len(told.splitlines()) <= 3


def test_without_a_word_all_commands_are_shown(mailhaul: Console) -> None:
    code, told = mailhaul()
    assert code == 2
    assert all(command in told for command in ("copy", "batch", "watch", "undo", "token"))
    assert "✗" not in told


def test_the_version_is_told(mailhaul: Console) -> None:
    code, told = mailhaul("--version")
    assert (code, told) == (0, f"mailhaul {version('mailhaul')}\n")


@pytest.mark.parametrize(
    "url",
    [
        "imaps://ada:hun/ter2@imap.old.example",
        "imaps://ada:hun#ter2@imap.old.example",
        "imaps://ada:hun?ter2@imap.old.example",
        "imaps://ada:[hunter2]@imap.old.example",
        "imaps://hun/ter2@imap.old.example",
        "imaps://[hunter2]@imap.old.example",
        "imaps://hun\u2100ter2@imap.old.example",
        "ada:hunter2@imap.old.example:99999",
        "imaps://hunter2 x@imap.old.example",
    ],
)
def test_what_may_be_a_password_in_a_server_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        parse_server(url)
    assert "ter2" not in str(refused.value)
    assert (":" in url.removeprefix("imaps://").split("@")[0]) == isinstance(refused.value, PasswordInServer)


@pytest.mark.parametrize(
    "url", ["imap.old.example?x", "imap.old.example#x", "imaps://a%0D%0Ab@imap.old.example", "imaps://[::1"]
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a server name"):
        parse_server(url)


def test_a_login_may_hold_an_at_and_encoded_characters() -> None:
    endpoint, user = parse_server("imaps://ada%3Ax@old.example@imap.old.example:1993")
    assert (endpoint.host, endpoint.port, user) == ("imap.old.example", 1993, "ada:x@old.example")


@pytest.mark.parametrize("host", ["outlook.office365.com", "Outlook.Office365.com."])
def test_a_host_that_nobody_can_copy_from_is_refused_with_what_to_do_instead(host: str) -> None:
    with pytest.raises(Usage, match=r"--from: .*signs in"):
        account("--from", f"imaps://ada@{host}", allow_plaintext=False)


def test_a_host_that_takes_app_passwords_is_not_refused() -> None:
    assert account("--from", "imaps://ada@imap.gmail.com", allow_plaintext=False).login == "ada"


def test_a_bare_login_gets_the_host_for_its_address() -> None:
    assert account("--to", "imaps://ada@new.example", allow_plaintext=False).address == "ada@new.example"


def test_copy_and_submit_refuse_such_a_host_before_they_ask_for_a_password(mailhaul: Console) -> None:
    for command in ("copy", "submit"):
        code, told = mailhaul(
            command, "--from", "imaps://ada@outlook.office365.com", "--to", "imaps://ada@new.example"
        )
        assert code == 2
        assert "Microsoft" in told


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ("copy", "[env: MAILHAUL_DATA]"),
        ("copy", "[env: MAILHAUL_SUBMITTER]"),
        ("worker", "[env: MAILHAUL_WORKER_THREADS]"),
        ("copy", "imaps://ada@old.example[:993]"),
    ],
)
def test_help_names_the_variables(mailhaul: Console, command: str, variable: str) -> None:
    code, told = mailhaul(command, "--help")
    assert code == 0
    assert variable in " ".join(told.split())


@pytest.mark.parametrize("words", [("list",), ("batch", "people.csv"), ("migrate",)])
def test_a_database_of_a_newer_version_is_told_in_a_sentence(
    mailhaul: Console, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "data").mkdir()
    url = f"sqlite:///{tmp_path}/data/mailhaul.db"
    migrate(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from the future'"))
    engine.dispose()
    file = tmp_path / "people.csv"
    file.write_text(
        f"{template().splitlines()[0]},destination_server\nada@old.example,a,imap.old.example,ada@new.example,b,new.example\n"
    )
    code, told = mailhaul(*(str(file) if word == file.name else word for word in words))
    assert code == 2
    assert "newer version of Mailhaul" in " ".join(told.split())
    assert "Traceback" not in told


def test_the_annotated_file_is_written_beside_the_problems(mailhaul: Console, tmp_path: Path) -> None:
    file, out = tmp_path / "people.csv", tmp_path / "people.problems.csv"
    head = template().splitlines()[0]
    file.write_text(f"{head}\nada@old.example,hush-hush,,not an address,hush-too\n")
    code, told = mailhaul("batch", str(file), "--annotate", str(out))
    assert code == 2
    assert out.name in told.replace("\n", "")
    assert "This is not a mail address" in out.read_text()
    assert "hush" not in out.read_text()
    assert mailhaul("batch", str(file), "--annotate", str(file))[0] == 2
    assert "hush-hush" in file.read_text()
    assert mailhaul("batch", str(file), "--annotate", str(tmp_path / "no" / "where.csv"))[0] == 2
    printed = mailhaul("batch", str(file), "--annotate", str(out), "--json")[1]
    assert json.loads(printed[printed.index("{") : printed.rindex("}") + 1])["problems"]


# --- Owners who sign in ---------------------------------------------------------------------------------

GMAIL = "imaps://ada%40gmail.com@imap.gmail.com"


@pytest.fixture
def asks_google(monkeypatch: pytest.MonkeyPatch, mailhaul: Console) -> Console:
    """An installation where owners can sign in with Google."""
    monkeypatch.setenv("MAILHAUL_GOOGLE_CLIENT_ID", "haul")
    monkeypatch.setenv("MAILHAUL_GOOGLE_CLIENT_SECRET", "0pen-s3same")
    monkeypatch.setenv("MAILHAUL_PUBLIC_URL", "https://haul.example")
    monkeypatch.setenv("MAILHAUL_DESTINATION_SERVER", "imaps://mail.new.example")
    monkeypatch.setenv("NEW", "new-pass")
    return mailhaul


def facts(told: str) -> Any:
    """The JSON that stands first in what was printed."""
    return json.JSONDecoder().raw_decode(told)[0]


def test_a_mailbox_whose_owner_signs_in_needs_no_password_at_the_console(asks_google: Console) -> None:
    words = ("submit", "--from", GMAIL, "--to", "imaps://ada@mail.new.example", "--to-password-env", "NEW")
    code, told = asks_google(*words, "--json")
    started = facts(told)
    assert (code, started["fate"]) == (0, "started")
    link = started["consent_links"]["source"]
    assert link.startswith("https://haul.example/consent/")
    for command in (("list",), ("show", started["id"])):
        assert link in asks_google(*command)[1]
        [fact] = facts(asks_google(*command, "--json")[1])
        assert (fact["consent_links"]["source"], fact["problem"]["code"]) == (link, "consent_needed")
    asks_google("cancel", started["id"])
    code, told = asks_google("retry", started["id"], "--to-password-env", "NEW")
    assert code == 0
    assert "https://haul.example/consent/" in told
    assert link not in told


def test_a_file_may_leave_the_password_to_the_owner(asks_google: Console, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "source_address,source_password,source_server,destination_address,destination_password\n"
        "ada@gmail.com,,imap.gmail.com,ada@new.example,new-pass\n"
    )
    code, told = asks_google("batch", str(file))
    assert code == 0
    assert "waits for the owner of the old mailbox to sign in: https://haul.example/consent/" in told
    [batch] = facts(asks_google("batch", str(file), "--json")[1])
    assert [(row["fate"], row["consent_links"]["source"] in told) for row in batch["rows"]] == [
        ("under way", True)
    ]


def test_a_new_mailbox_may_be_its_owner_s_to_open_and_both_may(asks_google: Console, tmp_path: Path) -> None:
    """Nobody is asked for a password: there is no terminal here."""
    code, told = asks_google("submit", "--from", GMAIL, "--to", GMAIL.replace("ada", "grace"), "--json")
    assert code == 0, told
    started = facts(told)
    assert list(started["consent_links"]) == ["source", "destination"]
    shown = asks_google("show", started["id"])[1]
    for which, side in (("old", "source"), ("new", "destination")):
        link = started["consent_links"][side]
        assert f"waits for the owner of the {which} mailbox to sign in: {link}" in shown
    file = tmp_path / "people.csv"
    file.write_text(
        "source_address,source_password,source_server,destination_address,destination_password,destination_server\n"
        "ada@old.example,old-pass,imap.old.example,ada@gmail.com,,imap.gmail.com\n"
    )
    code, told = asks_google("batch", str(file))
    assert code == 0, told
    assert "waits for the owner of the new mailbox to sign in: https://haul.example/consent/" in told
    code, told = asks_google("copy", "--from", GMAIL, "--to", GMAIL.replace("ada", "grace"))
    assert code == 2, "for a foreground copy nobody can be asked"
    assert "No password for ada@gmail.com" in " ".join(told.split())


def test_without_a_setting_for_it_the_same_file_is_refused_in_the_host_s_words(
    mailhaul: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILHAUL_DESTINATION_SERVER", "imaps://mail.new.example")
    file = tmp_path / "people.csv"
    file.write_text(
        "source_address,source_password,source_server,destination_address,destination_password\n"
        "ada@gmail.com,,imap.gmail.com,ada@new.example,new-pass\n"
    )
    code, told = mailhaul("batch", str(file))
    assert code == 2
    assert "app password" in told
    assert "Nothing was started." in told


def test_a_token_with_the_batch_right_is_bound_to_domains_and_may_start_imports(mailhaul: Console) -> None:
    for more in ((), ("--scope", "write"), ("--domain", "new.example")):
        code, told = mailhaul("token", "create", "panel", "--scope", "batch", *more)
        assert code == 2, more
        assert "--domain" in told
    wanted = ("--scope", "batch", "--scope", "write", "--domain", "new.example", "--json")
    code, told = mailhaul("token", "create", "panel", *wanted)
    assert code == 0, told
    assert json.loads(told)["scopes"] == ["batch", "write"]
