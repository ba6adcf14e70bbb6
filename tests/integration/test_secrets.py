"""Passwords stay in nobody's sight: not in the database, the queue, the logs, the mails, any output."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.installation import Installation
from tests.rehearsal.sample import sample_mailbox
from tests.rehearsal.smtp import SmtpCatcher
from tests.rehearsal.valkey import Valkey

CANARIES = ('Canary-Old-1 "x', "Canary-New-2 ü\\x", "Canary-Bad-3 ü'x")


def spellings(secret: str) -> set[bytes]:
    """The ways in which a secret could be written down."""
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
        smtp.wait_for(4)
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
    assert any("mailferry.db" in name for name in places)
    found = [
        (name, canary)
        for name, content in places.items()
        for canary in CANARIES
        for spelling in spellings(canary)
        if spelling in content
    ]
    assert found == []


def dump(valkey: Valkey) -> bytes:
    """All that is in the queue."""
    client = valkey.client()
    return b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())
