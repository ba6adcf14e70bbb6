"""The vault: sealed data opens only with its key and its context."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from importer.adapters.fernet_vault import FernetVault, load_keys
from importer.ports.vault import Vault, VaultError
from providers.endpoint import Secret
from tests.rehearsal.ports import PATIENCE_S

OLD, NEW, OTHER = (Secret(Fernet.generate_key().decode()) for _ in range(3))
PASSWORD = Secret("correct horse")


@pytest.fixture
def vault() -> FernetVault:
    return FernetVault([OLD])


def test_a_sealed_password_opens_with_its_context(vault: Vault) -> None:
    for text in ("correct horse", "", " with blanks ", "pä§§wörd✓", "a\udcffb", "x" * 100_000):
        assert vault.open(vault.seal(Secret(text), "i1:source"), "i1:source") == Secret(text)


def test_sealed_data_is_opaque_and_never_repeats(vault: Vault) -> None:
    first, second = vault.seal(PASSWORD, "i1:source"), vault.seal(PASSWORD, "i1:source")
    assert first != second
    assert b"horse" not in first
    assert b"i1" not in first


@pytest.mark.parametrize("context", ["i2:source", "i1:destination", "i1:sourc", "i1:source ", ""])
def test_a_password_moved_to_another_row_does_not_open(vault: Vault, context: str) -> None:
    sealed = vault.seal(PASSWORD, "i1:source")
    with pytest.raises(VaultError, match="seal_foreign"):
        vault.open(sealed, context)


def test_context_and_password_have_an_unambiguous_boundary(vault: Vault) -> None:
    with pytest.raises(VaultError):
        vault.open(vault.seal(Secret("23"), "i1"), "i12")


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\xff\x00", "truncated", "flipped", "foreign"])
def test_damaged_bytes_do_not_open_and_the_error_shows_nothing(vault: Vault, damage: bytes | str) -> None:
    sealed = vault.seal(PASSWORD, "i1:source")
    match damage:
        case bytes():
            sealed = damage
        case "truncated":
            sealed = sealed[:-5]
        case "flipped":
            sealed = sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:]
        case "foreign":
            sealed = Fernet(OLD.reveal()).encrypt(b"")
    with pytest.raises(VaultError) as caught:
        vault.open(sealed, "i1:source")
    assert caught.value.__cause__ is None
    assert "horse" not in str(caught.value)
    assert OLD.reveal() not in str(caught.value)


def test_another_key_does_not_open(vault: Vault) -> None:
    with pytest.raises(VaultError, match="key_other"):
        FernetVault([OTHER]).open(vault.seal(PASSWORD, "c"), "c")


def test_keys_can_be_rotated_without_losing_a_password(vault: FernetVault) -> None:
    sealed = vault.seal(PASSWORD, "c")
    both = FernetVault([NEW, OLD])
    assert both.open(sealed, "c") == PASSWORD
    assert FernetVault([NEW]).open(both.seal(PASSWORD, "c"), "c") == PASSWORD  # the first key seals


def test_a_fingerprint_detects_a_changed_password_and_reveals_nothing(vault: Vault) -> None:
    fingerprint = vault.fingerprint(Secret("ab"), Secret("c"))
    assert fingerprint == vault.fingerprint(Secret("ab"), Secret("c"))
    others = {
        vault.fingerprint(*map(Secret, texts))
        for texts in (("a", "bc"), ("c", "ab"), ("abc",), ("ab", "c", ""), ())
    }
    assert len(others) == 5
    assert fingerprint not in others
    assert fingerprint != FernetVault([OTHER]).fingerprint(Secret("ab"), Secret("c"))
    assert len(fingerprint) == 32


def test_a_new_first_key_leaves_fingerprints_and_notice_key_unchanged(vault: FernetVault) -> None:
    assert FernetVault([NEW, OLD]).fingerprint(PASSWORD) == vault.fingerprint(PASSWORD)
    assert FernetVault([NEW, OLD]).notice_key() == vault.notice_key()
    assert FernetVault([NEW]).notice_key() != vault.notice_key()
    assert vault.notice_key() != bytes(32)
    assert len(vault.notice_key()) == 32


@pytest.mark.parametrize("keys", [(), ("",), ("canary",), ("cänary",), (OLD.reveal(), "canary")])
def test_an_invalid_key_is_refused_without_being_shown(keys: tuple[str, ...]) -> None:
    with pytest.raises(VaultError, match=r"key_m(?:issing|alformed)") as caught:
        FernetVault([Secret(key) for key in keys])
    assert "nary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_from_the_setting_take_precedence_and_create_no_file(tmp_path: Path) -> None:
    setting = Secret(f"{NEW.reveal()}, {OLD.reveal()},")
    assert load_keys(secret_key=setting, secret_key_file=tmp_path / "absent", data_dir=tmp_path) == (NEW, OLD)
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_may_hold_one_key_per_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{NEW.reveal()}\n{OLD.reveal()}\n")
    path.chmod(0o440)  # as Kubernetes mounts a secret
    assert load_keys(secret_key=None, secret_key_file=path, data_dir=tmp_path) == (NEW, OLD)


def test_a_key_is_created_once_and_readable_only_by_its_owner(tmp_path: Path) -> None:
    (made,) = load_keys(secret_key=None, secret_key_file=None, data_dir=tmp_path)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert load_keys(secret_key=None, secret_key_file=None, data_dir=tmp_path) == (made,)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    FernetVault([made])


def test_processes_that_start_concurrently_get_the_same_key(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from importer.adapters.fernet_vault import load_keys;"
        "print('ready', flush=True); input();"
        "[print(k.reveal()) for i in range(40) for k in"
        " load_keys(secret_key=None, secret_key_file=None, data_dir=pathlib.Path(sys.argv[1]) / str(i))]"
    )
    for number in range(40):
        (tmp_path / str(number)).mkdir()
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    results = [racer.communicate(timeout=PATIENCE_S)[0].split() for racer in racers]
    assert len(set(results[0])) == 40
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620])
def test_a_key_file_open_to_others_is_refused_with_the_command_to_fix_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret.key"
    path.write_text(OLD.reveal())
    path.chmod(mode)
    with pytest.raises(VaultError, match=rf"key_file_open .*{path}") as caught:
        load_keys(secret_key=None, secret_key_file=None, data_dir=tmp_path)
    assert OLD.reveal() not in str(caught.value)
    path.chmod(0o600)
    assert load_keys(secret_key=None, secret_key_file=None, data_dir=tmp_path) == (OLD,)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match=r"key_file_unreadable .*absent"):
        load_keys(secret_key=None, secret_key_file=tmp_path / "absent", data_dir=tmp_path)
    with pytest.raises(VaultError, match="key_file_unmade"):
        load_keys(secret_key=None, secret_key_file=None, data_dir=tmp_path / "absent")


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("\n")
    os.chmod(path, 0o600)
    with pytest.raises(VaultError):
        FernetVault(load_keys(secret_key=None, secret_key_file=path, data_dir=tmp_path))
