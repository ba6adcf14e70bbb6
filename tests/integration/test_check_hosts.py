"""Checks of hosts with limits: too little space, and folders that hold no mail."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.imitations.server import Imitation
from tests.rehearsal.installation import Installation
from tests.rehearsal.sample import sample_mailbox


def test_a_mailbox_that_does_not_fit_is_reported_with_numbers_and_an_exit_code(
    tmp_path: Path, ca: CertificateAuthority, old_host: Dovecot, make_user: MakeUser
) -> None:
    installation = Installation(tmp_path, {"CA_FILE": str(old_host.ca_file)})
    old = make_user(old_host)
    old.fill(sample_mailbox())
    with dovecot(tmp_path / "small", DovecotOptions(quota_bytes=150_000), ca=ca) as small:
        words = ("check", *installation.copy_words(old, make_user(small))[1:])
        check = installation.json(*words, ends=4)
        assert check["fits"] is False
        assert 149_000 < check["free_bytes"] < 151_000  # Dovecot counts in KiB
        assert check["source"]["oldest"] < check["source"]["newest"]
        assert check["estimate"]["high_s"] > 0
        output = " ".join(installation.run(*words, ends=4).stdout.split())
        assert "kB free" in output
        assert "It does not fit: up to 120 messages (about 1.9 MB)" in output


def test_folders_without_mail_are_left_out_and_not_reported_as_broken(
    tmp_path: Path, exchange_host: Imitation, new_host: Dovecot, make_user: MakeUser
) -> None:
    installation = Installation(tmp_path, {"CA_FILE": str(new_host.ca_file)})
    words = installation.copy_words(make_user(exchange_host), make_user(new_host))[1:]
    check = installation.json("check", *words)
    assert check["closed"] == []
    assert "Calendar" in {folder["folder"] for folder in check["left_out"]}
    assert "Calendar" not in {folder["source_folder"] for folder in check["folders"]}
