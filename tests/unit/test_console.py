"""The console without servers: usage errors and help."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import unicodedata
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from importer import cli
from importer.adapters.store import open_engine
from importer.adapters.store.schema import migrate
from importer.cli.command_table import console
from importer.cli.exit_codes import Usage, run
from importer.cli.import_list import wrapped
from importer.cli.mailbox_options import account
from importer.cli.text_views import print_json
from importer.domain.csv_import.column_names import HEADER
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
    """Runs `mailhaul WORDS` in this process. Returns the exit code and the output."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: str) -> tuple[int, str]:
        self._monkeypatch.setattr("sys.argv", ["mailhaul", *words])
        code = run(console)
        captured = self._capfd.readouterr()
        return code, captured.out + captured.err


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
def test_a_usage_error_is_one_line_with_a_hint_for_help(
    mailhaul: Console, words: tuple[str, ...], problem: str
) -> None:
    code, output = mailhaul(*words)
    assert code == 2
    assert problem in output
    assert "--help`." in output
    assert len(output.splitlines()) <= 3


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("detect", "ada"), "Das ist keine E-Mail-Adresse: Sie enthält kein @."),
        (
            ("check", "--from", "a b@old.example", "--to", "ada@new.example"),
            "--from: Das ist keine E-Mail-Adresse",
        ),
        (("copy", "--language", "fr", "--since", "hier"), "Ce n’est pas une date."),
        (
            ("copy", "--language", "fr", "--from", "ada", "--to", "b"),
            "--from\u00a0: le nom d’utilisateur manque",
        ),
        (("batch", "/nowhere.csv", "--language", "fr"), "fichier ou répertoire inexistant."),
        (("evidence", "check", "/nowhere"), "/nowhere kann nicht gelesen werden: Datei oder Verzeichnis"),
    ],
)
def test_an_argument_is_refused_in_the_language_of_the_reader(
    mailhaul: Console, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    monkeypatch.setenv("MAILHAUL_LANGUAGE", "de")
    code, output = mailhaul(*words)
    assert code == 2
    assert problem in output


def test_a_long_text_is_not_wrapped_at_a_no_break_space() -> None:
    said = "Le serveur a dit\u00a0: «\u00a0[ALERT]\u00a0»"
    for width, lines in ((40, [said]), (23, ["Le serveur a dit\u00a0:", "«\u00a0[ALERT]\u00a0»"])):
        assert [line.plain for line in wrapped(said, width, "")] == lines


def test_without_arguments_all_commands_are_listed(mailhaul: Console) -> None:
    code, output = mailhaul()
    assert code == 2
    assert all(command in output for command in ("copy", "batch", "watch", "undo", "token"))
    assert "✗" not in output


def test_version_prints_the_version(mailhaul: Console) -> None:
    code, output = mailhaul("--version")
    assert (code, output) == (0, f"mailhaul {version('mailhaul')}\n")


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
def test_a_possible_password_in_a_server_is_not_printed(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        parse_server(url)
    assert "ter2" not in str(refused.value)
    assert (":" in url.removeprefix("imaps://").split("@")[0]) == isinstance(refused.value, PasswordInServer)


@pytest.mark.parametrize(
    "url",
    [
        "imap.old.example?x",
        "imap.old.example#x",
        "imaps://a%0D%0Ab@imap.old.example",
        "imaps://[::1",
        "imaps://a\ud800@imap.old.example",
    ],
)
def test_invalid_servers_are_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="server_url"):
        parse_server(url)


def test_a_login_may_contain_an_at_sign_and_encoded_characters() -> None:
    endpoint, user = parse_server("imaps://ada%3Ax@old.example@imap.old.example:1993")
    assert (endpoint.host, endpoint.port, user) == ("imap.old.example", 1993, "ada:x@old.example")


@pytest.mark.parametrize("host", ["outlook.office365.com", "Outlook.Office365.com."])
def test_an_unsupported_host_is_rejected_with_an_alternative(host: str) -> None:
    with pytest.raises(Usage, match=r"--from: .*signs in"):
        account("--from", f"imaps://ada@{host}", allow_plaintext=False)


def test_a_host_with_app_passwords_is_accepted() -> None:
    assert account("--from", "imaps://ada@imap.gmail.com", allow_plaintext=False).login == "ada"


def test_a_login_without_domain_gets_the_host_for_its_address() -> None:
    assert account("--to", "imaps://ada@new.example", allow_plaintext=False).address == "ada@new.example"


def test_copy_and_submit_reject_an_unsupported_host_before_the_password_prompt(mailhaul: Console) -> None:
    for command in ("copy", "submit"):
        code, output = mailhaul(
            command, "--from", "imaps://ada@outlook.office365.com", "--to", "imaps://ada@new.example"
        )
        assert code == 2
        assert "Microsoft" in output


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ("copy", "[env: MAILHAUL_DATA]"),
        ("copy", "[env: MAILHAUL_SUBMITTER]"),
        ("worker", "[env: MAILHAUL_WORKER_THREADS]"),
        ("copy", "imaps://LOGIN@HOST[:PORT]"),
    ],
)
def test_help_lists_the_environment_variables(mailhaul: Console, command: str, variable: str) -> None:
    code, output = mailhaul(command, "--help")
    assert code == 0
    assert variable in " ".join(output.split())


@pytest.mark.parametrize("words", [("list",), ("batch", "people.csv"), ("migrate",)])
def test_a_database_of_a_newer_version_is_reported_in_a_sentence(
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
        f"{HEADER},destination_server\nada@old.example,a,imap.old.example,ada@new.example,b,new.example\n"
    )
    code, output = mailhaul(*(str(file) if word == file.name else word for word in words))
    assert code == 2
    assert "newer version of Mailhaul" in " ".join(output.split())
    assert "Traceback" not in output


def test_annotate_writes_the_file_with_its_problems(mailhaul: Console, tmp_path: Path) -> None:
    file, out = tmp_path / "people.csv", tmp_path / "people.problems.csv"
    head = HEADER
    file.write_text(f"{head}\nada@old.example,hush-hush,,not an address,hush-too\n")
    code, output = mailhaul("batch", str(file), "--annotate", str(out))
    assert code == 2
    assert out.name in output.replace("\n", "")
    assert "This is not a mail address" in out.read_text()
    assert "hush" not in out.read_text()
    assert mailhaul("batch", str(file), "--annotate", str(file))[0] == 2
    assert "hush-hush" in file.read_text()
    assert mailhaul("batch", str(file), "--annotate", str(tmp_path / "no" / "where.csv"))[0] == 2
    printed = mailhaul("batch", str(file), "--annotate", str(out), "--json")[1]
    assert json.loads(printed[printed.index("{") : printed.rindex("}") + 1])["problems"]


# --- Owner consent --------------------------------------------------------------------------------------

GMAIL = "imaps://ada%40gmail.com@imap.gmail.com"


@pytest.fixture
def console_with_google(monkeypatch: pytest.MonkeyPatch, mailhaul: Console) -> Console:
    """The console of an installation with Google sign-in."""
    monkeypatch.setenv("MAILHAUL_GOOGLE_CLIENT_ID", "haul")
    monkeypatch.setenv("MAILHAUL_GOOGLE_CLIENT_SECRET", "0pen-s3same")
    monkeypatch.setenv("MAILHAUL_PUBLIC_URL", "https://haul.example")
    monkeypatch.setenv("MAILHAUL_DESTINATION_SERVER", "imaps://mail.new.example")
    monkeypatch.setenv("NEW", "new-pass")
    return mailhaul


def facts(output: str) -> Any:
    """The JSON document at the start of the output."""
    return json.JSONDecoder().raw_decode(output)[0]


def test_a_mailbox_with_owner_consent_needs_no_password(console_with_google: Console) -> None:
    words = ("submit", "--from", GMAIL, "--to", "imaps://ada@mail.new.example", "--to-password-env", "NEW")
    code, output = console_with_google(*words, "--json")
    started = facts(output)
    assert (code, started["fate"]) == (0, "started")
    link = started["consent_links"]["source"]
    assert link.startswith("https://haul.example/consent/")
    for command in (("list",), ("show", started["id"])):
        assert link in console_with_google(*command)[1]
        [fact] = facts(console_with_google(*command, "--json")[1])
        assert (fact["consent_links"]["source"], fact["problem"]["code"]) == (link, "consent_needed")
    console_with_google("cancel", started["id"])
    code, output = console_with_google("retry", started["id"], "--to-password-env", "NEW")
    assert code == 0
    assert "https://haul.example/consent/" in output
    assert link not in output


def test_a_row_of_a_file_may_rely_on_owner_consent(console_with_google: Console, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "source_address,source_password,source_server,destination_address,destination_password\n"
        "ada@gmail.com,,imap.gmail.com,ada@new.example,new-pass\n"
    )
    code, output = console_with_google("batch", str(file))
    assert code == 0
    assert "waits for the owner of the old mailbox to sign in: https://haul.example/consent/" in output
    [batch] = facts(console_with_google("batch", str(file), "--json")[1])
    assert [(row["fate"], row["consent_links"]["source"] in output) for row in batch["rows"]] == [
        ("under way", True)
    ]


def test_destinations_or_both_sides_may_rely_on_owner_consent(
    console_with_google: Console, tmp_path: Path
) -> None:
    """There is no password prompt, since there is no terminal."""
    code, output = console_with_google(
        "submit", "--from", GMAIL, "--to", GMAIL.replace("ada", "grace"), "--json"
    )
    assert code == 0, output
    started = facts(output)
    assert list(started["consent_links"]) == ["source", "destination"]
    details = console_with_google("show", started["id"])[1]
    for which, side in (("old", "source"), ("new", "destination")):
        link = started["consent_links"][side]
        assert f"waits for the owner of the {which} mailbox to sign in: {link}" in details
    file = tmp_path / "people.csv"
    file.write_text(
        "source_address,source_password,source_server,destination_address,destination_password,destination_server\n"
        "ada@old.example,old-pass,imap.old.example,ada@gmail.com,,imap.gmail.com\n"
    )
    code, output = console_with_google("batch", str(file))
    assert code == 0, output
    assert "waits for the owner of the new mailbox to sign in: https://haul.example/consent/" in output
    code, output = console_with_google("copy", "--from", GMAIL, "--to", GMAIL.replace("ada", "grace"))
    assert code == 2, "a foreground copy cannot wait for a consent"
    assert "No password for ada@gmail.com" in " ".join(output.split())


def test_without_google_settings_the_same_file_is_rejected_with_the_hosts_help(
    mailhaul: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILHAUL_DESTINATION_SERVER", "imaps://mail.new.example")
    file = tmp_path / "people.csv"
    file.write_text(
        "source_address,source_password,source_server,destination_address,destination_password\n"
        "ada@gmail.com,,imap.gmail.com,ada@new.example,new-pass\n"
    )
    code, output = mailhaul("batch", str(file))
    assert code == 2
    assert "app password" in output
    assert "Nothing was started." in output


def test_a_batch_token_is_bound_to_domains_and_may_start_imports(mailhaul: Console) -> None:
    for more in ((), ("--scope", "write"), ("--domain", "new.example")):
        code, output = mailhaul("token", "create", "panel", "--scope", "batch", *more)
        assert code == 2, more
        assert "--domain" in output
    options = ("--scope", "batch", "--scope", "write", "--domain", "new.example", "--json")
    code, output = mailhaul("token", "create", "panel", *options)
    assert code == 0, output
    assert json.loads(output)["scopes"] == ["batch", "write"]


def test_json_steers_no_terminal_and_is_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"subject": "\u009b31m \u202eevil \u200b\x7f \u2066 \ufeff \U000e0041 \ud800 Grüße 日本"}
    print_json(facts)
    printed = capsys.readouterr().out
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") or c == "\n" for c in printed)
    assert "Grüße 日本" in printed
    assert json.loads(printed) == facts


def test_a_command_forbids_core_dumps_of_itself() -> None:
    """In a process of its own: this one is to be debugged."""
    script = (
        "import resource, ctypes; from importer.core_dumps import forbid_core_dumps; forbid_core_dumps();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown == "(0, 0) 0\n"
    assert "    forbid_core_dumps()\n" in inspect.getsource(cli.main)
