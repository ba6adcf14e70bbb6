"""The console from its users' point of view: its output, its exit codes and its JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from importer.cli.service_commands import processors
from importer.domain.csv_import.column_names import HEADER
from importer.i18n.csv_template import csv_template
from importer.i18n.translations import texts
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import Stored, connect
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import PATIENCE_S, free_ports, wait_until
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.sample import EMPTY_FOLDERS, FOLDER_MAP, sample_mailbox

QUERIES = ("check", "list", "show", "explain", "watch", "report", "doctor")
CONTROLS = ("pause", "resume", "retry", "cancel", "undo")
COMMANDS = ("copy", "submit", "batch", "template", *QUERIES, *CONTROLS, "worker", "up", "migrate")


def small_messages(number: int) -> Iterator[Stored]:
    """Yield this small_messages small messages."""
    when = datetime(2020, 1, 1, tzinfo=UTC)
    for n in range(number):
        yield Stored(("INBOX",), ("\\Seen",), when, b"Subject: %d\r\n\r\ntext\r\n" % n)


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot) -> Installation:
    """An installation without any service."""
    return Installation(tmp_path, {"CA_FILE": str(new_host.ca_file)})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(installation: Installation, command: str) -> None:
    help_text = installation.run(command, "--help").stdout
    assert "Example:" in help_text
    assert f"mailhaul {command}" in " ".join(help_text.split()) or "mailhaul migrate" in help_text


def test_one_command_copies_a_mailbox_and_a_repeat_is_incremental(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(sample_mailbox(), EMPTY_FOLDERS)
    words = installation.copy_words(old, new)
    output = installation.run(*words).stdout
    assert "All" in output
    assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
    again = installation.json(*words)
    assert again["totals"]["copied"] == 0
    assert again["totals"]["already_there"] == new.read().count()
    listed = installation.json("list")
    assert [import_["state"] for import_ in listed] == ["complete", "complete"]
    report = installation.run("report", listed[0]["id"]).stdout
    assert "Gesendet" in report
    assert "Sent" in report


def test_sync_flags_copies_flag_changes_of_the_old_mailbox(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(small_messages(4))  # all of them read

    def store(user: User, number: int, flags: str) -> None:
        client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
        client.select("INBOX")
        assert client.store(str(number), flags[:6], flags[6:])[0] == "OK"
        client.logout()

    def flags(user: User) -> list[set[str]]:
        inbox = user.read().folders["INBOX",]
        return [set(message.flags) for message in sorted(inbox, key=lambda message: message.subject)]

    words = installation.copy_words(old, new)
    installation.run(*words)
    store(old, 1, "-FLAGS(\\Seen)")
    store(old, 2, "+FLAGS(\\Flagged $Label1)")
    store(new, 3, "-FLAGS(\\Seen)")
    store(old, 4, "+FLAGS(\\Answered)")
    store(new, 4, "+FLAGS(\\Answered)")
    installation.run(*words)
    assert flags(new) == [{"\\seen"}, {"\\seen"}, set(), {"\\seen", "\\answered"}]
    assert installation.json(*words, "--sync-flags")["totals"]["flags_updated"] == 2
    expected = [set(), {"\\seen", "\\flagged", "$label1"}, set(), {"\\seen", "\\answered"}]
    assert flags(new) == expected
    store(old, 4, "-FLAGS(\\Answered)")
    store(old, 2, "-FLAGS($Label1)")
    output = installation.run(*words, "--sync-flags").stdout
    assert "The flags of 1 previously copied message were updated to match the old mailbox." in output
    expected[1].remove("$label1")
    assert flags(new) == expected
    assert installation.json(*words, "--sync-flags")["totals"]["flags_updated"] == 0


def test_a_check_predicts_a_copy_and_changes_nothing(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(sample_mailbox(), EMPTY_FOLDERS)
    words = ["check", *installation.copy_words(old, new)[1:]]
    check = installation.json(*words)
    assert (check["done"], check["ready"]) == (True, True)
    assert check["source"]["messages"] == old.read().count()
    assert new.read().count() == 0
    output = installation.run(*words).stdout
    assert "To copy: at most" in output
    assert "Gesendet" in output
    copied = installation.json(*installation.copy_words(old, new))
    folders = {(folder["source_folder"], folder["destination_folder"]) for folder in check["folders"]}
    assert folders == {
        (folder["source_folder"], folder["destination_folder"]) for folder in copied["folders"]
    }
    again = installation.json(*words)
    assert again["to_copy"]["messages"] == 0
    assert again["source"]["size_bytes"] == check["source"]["size_bytes"]


def test_an_import_without_a_worker_can_be_controlled_and_explained(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    words = installation.copy_words(old, new)[1:]
    import_id = installation.json("submit", *words)["id"]
    assert installation.json("pause", import_id)[0]["state"] == "paused"
    assert "A user paused it" in installation.run("explain", import_id).stdout
    assert installation.json("resume", import_id)[0]["effect"] == "done"
    assert installation.json("cancel", import_id)[0]["state"] == "cancelled"
    [explained] = installation.json("explain", import_id)
    assert explained["actions"] == ["run again"]
    passwords = [*words[2:4], *words[6:8]]
    assert "started" in installation.run("retry", import_id, *passwords).stdout
    assert installation.run("report", import_id, "--csv", ends=5).stdout.startswith("import,source")


def test_undo_removes_copied_mail_that_was_not_changed_since(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(sample_mailbox(), EMPTY_FOLDERS)
    existing = [
        Stored(("INBOX",), ("\\Seen",), datetime(2020, 1, 1, tzinfo=UTC), b"Subject: mine\r\n\r\nmine\r\n")
    ]
    new.fill(existing)
    before = new.read()
    words = installation.copy_words(old, new)
    copied = installation.json(*words)
    everything = new.read()
    passwords = words[-2:]
    assert installation.run("undo", copied["id"], *passwords, ends=2).stderr.startswith(
        "✗ There is no terminal"
    )
    client = connect(new.account.endpoint, new.account.login, new.password, new.ca_file)
    client.select("INBOX")
    client.uid("STORE", "2", "+FLAGS", "(\\Answered)")
    client.logout()
    report = installation.json("undo", copied["id"], "--yes", *passwords, ends=1)
    totals = report["totals"]
    assert (totals["added"], totals["touched"], totals["gone"]) == (copied["totals"]["copied"], 1, 0)
    assert totals["removed"] == totals["added"] - 1
    assert report["adds_up"]
    assert new.read().count() == before.count() + 1
    assert report["folders_removed"]
    again = installation.json(*words)
    assert again["totals"]["copied"] == totals["removed"]
    assert new.read().count() == everything.count()
    assert "removed" in installation.run("undo", again["id"], "--yes", *passwords).stdout


def test_a_running_import_can_be_paused_resumed_and_cancelled(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    installation.settings |= {"BATCH_MESSAGES": "1", "LANES": "1", "TICK_SECONDS": "1"}
    old, new = make_user(old_host), make_user(new_host)
    old.fill(small_messages(2500))
    client = connect(new.account.endpoint, new.account.login, new.password, new.ca_file)

    def message_count() -> int:
        return int(client.status("INBOX", "(MESSAGES)")[1][0].split()[-1].strip(b")"))

    def has_state(state: str) -> bool:
        return bool(installation.json("show", import_id)[0]["state"] == state)

    with installation.worker():
        import_id = installation.json("submit", *installation.copy_words(old, new)[1:])["id"]
        wait_until(lambda: message_count() > 5)
        installation.run("pause", import_id)
        wait_until(lambda: has_state("paused"))
        reached = message_count()
        assert 5 < reached < 2500
        time.sleep(1.5)  # longer than a tick
        assert message_count() == reached
        installation.run("resume", import_id)
        wait_until(lambda: message_count() > reached)
        installation.run("cancel", import_id)
        wait_until(lambda: has_state("cancelled"))
    left = message_count()
    assert reached < left < 2500
    undone = installation.json("undo", import_id, "--yes", *installation.copy_words(old, new)[-2:])
    assert undone["totals"]["removed"] == undone["totals"]["added"] == left
    assert message_count() == 0
    client.logout()


def test_a_copy_takes_passwords_from_the_environment_and_uses_starttls(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(list(sample_mailbox())[:5])
    source, destination = (
        f"imap://{u.account.login}@localhost:{h.starttls.port}" for u, h in ((old, old_host), (new, new_host))
    )
    words = ["copy", "--from", source, "--from-password-env", "OLD", "--to", destination]
    words += ["--to-password-env", "NEW"]
    installation.run(*words, environment={"OLD": old.password, "NEW": new.password})
    assert new.read().count() == len({m.content for m in list(sample_mailbox())[:5]})


@pytest.mark.parametrize(
    ("what", "ends", "says"),
    [
        ("wrong password", 3, "password"),
        ("unknown host", 5, "no.such.host.invalid"),
        ("closed port", 5, "localhost"),
        ("foreign certificate", 5, "certificate"),
        ("not imap", 5, "STARTTLS"),
        ("same mailbox", 2, "same mailbox"),
        ("no password", 2, "--from-password-file"),
        ("bad url", 2, "imaps://"),
    ],
)
def test_each_failure_has_its_own_message_and_exit_code(
    installation: Installation,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    tmp_path: Path,
    what: str,
    ends: int,
    says: str,
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    words = list(installation.copy_words(old, new))
    environment: dict[str, str] = {}
    match what:
        case "wrong password":
            (tmp_path / f"{old.account.login}.password").write_text("wrong\n")
        case "unknown host":
            words[2] = f"imaps://{old.account.login}@no.such.host.invalid"
        case "closed port":
            words[2] = f"imaps://{old.account.login}@localhost:{free_ports()[0]}"
        case "foreign certificate":
            strangers = CertificateAuthority(tmp_path / "strangers")
            environment["MAILHAUL_CA_FILE"] = str(strangers.ca_file)
        case "not imap":
            words[2] = f"imaps://{old.account.login}@localhost:{old_host.starttls.port}"
        case "same mailbox":
            words[6] = words[2]
        case "no password":
            words = words[:3] + words[5:]
        case "bad url":
            words[2] = "https://old.example"
    done = installation.run(*words, ends=ends, environment=environment)
    assert says in done.stdout + done.stderr
    assert old.password not in done.stdout + done.stderr


def test_a_message_too_large_and_a_full_destination_are_reported(
    tmp_path: Path, ca: CertificateAuthority, old_host: Dovecot, make_user: MakeUser
) -> None:
    date = next(iter(sample_mailbox())).internal_date
    small = [Stored(("INBOX",), (), date, b"Subject: %d\r\n\r\n" % i + b"x" * 2000) for i in range(20)]
    large = Stored(("INBOX",), (), date, b"Subject: the large one\r\n\r\n" + b"x" * 100_000)
    installation = Installation(tmp_path, {"CA_FILE": str(ca.ca_file), "BATCH_MESSAGES": "5"})
    old = make_user(old_host)
    with dovecot(tmp_path / "picky", DovecotOptions(max_mail_bytes=50_000), ca=ca) as picky:
        old.fill([*small, large])
        new = new_user(picky, "ada@picky.example")
        report = installation.json(*installation.copy_words(old, new), ends=1)
        assert report["totals"]["copied"] == 20
        assert [refusal["subject"] for refusal in report["refusals"]] == ["the large one"]
        assert new.read().count() == 20
    with dovecot(tmp_path / "small", DovecotOptions(quota_bytes=25_000), ca=ca) as narrow:
        new = new_user(narrow, "ada@narrow.example")
        report = installation.json(*installation.copy_words(old, new), ends=4)
        assert report["problem"]["code"] == "destination_full"
        assert report["totals"]["copied"] == new.read().count() > 0


def test_the_template_is_written_and_never_overwritten(installation: Installation, tmp_path: Path) -> None:
    assert installation.run("template").stdout.encode() == csv_template(texts("en"))
    file = tmp_path / "people.csv"
    installation.run("template", str(file))
    assert file.read_bytes() == csv_template(texts("en"))
    installation.run("template", str(file), ends=2)
    installation.run("template", str(tmp_path / "leute.csv"), "--language", "de")
    assert (tmp_path / "leute.csv").read_bytes() == csv_template(texts("de"))
    installation.run("template", str(tmp_path / "leute.xlsx"), "--language", "de")
    assert (tmp_path / "leute.xlsx").read_bytes().startswith(b"PK")


def test_a_file_with_mistakes_starts_nothing_and_reports_all_of_them(
    installation: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "source_address,source_password,source_server,destination_address,destination_password\n"
        "ada@old.example,hush-hush,imap.old.example,ada@new.example,hush-too\n"
        "not an address,,imap.old.example,ada@new.example,hush-too\n"
    )
    done = installation.run(
        "batch", str(file), ends=2, environment={"MAILHAUL_DESTINATION_SERVER": "mail.new.example"}
    )
    assert "hush" not in done.stdout + done.stderr
    output = " ".join(done.stdout.split())
    assert "3" in output
    assert "source_address" in output
    assert "source_password" in output
    assert installation.json("list") == []
    facts = json.loads(installation.run("batch", str(file), "--json", ends=2).stdout)
    assert {p["line"] for p in facts["problems"]} >= {3}
    assert all(p["rule"] and p["fix"] for p in facts["problems"])


def test_more_than_25_rows_are_refused_with_an_offer_to_split(
    installation: Installation, tmp_path: Path
) -> None:
    rows = [f"ada{i}@old.example,pw,imap.old.example,ada{i}@new.example,pw" for i in range(60)]
    file = tmp_path / "many.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    installation.settings["DESTINATION_SERVER"] = "imaps://mail.new.example"
    result = installation.run("batch", str(file), ends=2)
    assert "--split" in result.stdout + result.stderr
    assert installation.json("list") == []
    batches = installation.json("batch", str(file), "--split")
    assert [len(batch["rows"]) for batch in batches] == [25, 25, 10]
    assert len(installation.json("list", "--limit", "100")) == 60


def test_the_doctor_reports_problems_and_their_fixes(installation: Installation, new_host: Dovecot) -> None:
    findings = {f["part"]: f for f in installation.json("doctor", ends=None)}
    assert {"database", "queue", "key", "mail", "destination"} <= set(findings)
    assert findings["database"]["health"] == "well"
    assert findings["key"]["health"] == "well"
    assert findings["mail"]["health"] == "odd"
    assert "MAILHAUL_SMTP_URL" in findings["mail"]["fix"]
    installation.settings["DESTINATION_SERVER"] = str(new_host.imaps)
    installation.settings["SMTP_URL"] = f"smtp://localhost:{free_ports()[0]}"
    findings = {f["part"]: f for f in installation.json("doctor", ends=5)}
    assert findings["destination"]["health"] == "well"
    assert findings["mail"]["health"] == "ill"
    assert findings["mail"]["fix"]
    selected = installation.json("doctor", "--only", "database", "--only", "key")
    assert [finding["part"] for finding in selected] == ["database", "key"]
    assert "no part" in installation.run("doctor", "--only", "engine", ends=2).stderr


def test_up_runs_everything_in_one_process_tree(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(list(sample_mailbox())[:20])
    installation.settings["TICK_SECONDS"] = "1"
    process = start_group(
        [*installation.command, "up"], installation.log_file, environment=installation.environment()
    )
    try:
        file = installation.csv("one.csv", [(old, new)])
        report = installation.json("batch", str(file), "--wait")
        assert wait_until(lambda: installation.log().count("worker.started") == processors())
    finally:
        stop_group(process, patience_s=PATIENCE_S)
    assert report["exit_code"] == 0
    assert process.returncode == 0
    assert new.read().count() == report["imports"][0]["totals"]["copied"] > 0
    assert installation.log().count("worker.started") == processors()


def test_a_server_url_without_a_user_is_refused_with_an_example(installation: Installation) -> None:
    done = installation.run(
        "copy", "--from", "imaps://old.example", "--to", "imaps://ada@new.example", ends=2
    )
    assert "ada@old.example" in done.stderr
