"""Settings: sources, precedence, validation and error messages."""

from __future__ import annotations

import stat
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from importer.domain.brand import logo_of
from importer.domain.folder_mapping.folder_patterns import read_patterns
from importer.domain.import_options import OPTIONS
from importer.domain.messages.since import Since
from importer.domain.planning.cutover_options import FollowUntil, MxNames
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import texts
from importer.settings import Settings, SettingsError
from providers.endpoint import Endpoint, Secret, Security
from providers.sign_in_provider import SettingKind
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from tests.rehearsal.certificates import CertificateAuthority


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, _, _ in Settings.table():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("MAILHAUL_DATA", str(tmp_path / "data"))


def problems(**overlay: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.load(**overlay)
    return [render_with_advice(problem, texts("en")) for problem in caught.value.problems]


def test_by_default_everything_is_in_the_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MAILHAUL_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = Settings.load()
    assert settings.data == tmp_path / "mailhaul"
    assert settings.database_url == f"sqlite:///{tmp_path}/mailhaul/mailhaul.db"
    assert (settings.redis_url, settings.smtp_url, settings.destination_server) == ("", "", None)
    assert settings.mail_from.startswith("mailhaul@")


def test_every_setting_can_be_set_by_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path).ca_file
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n")
    values = {
        "DATA": (str(tmp_path), tmp_path),
        "DATABASE_URL": (
            "postgresql://haul:pw@db.example/mail",
            "postgresql+psycopg://haul:pw@db.example/mail",
        ),
        "SECRETS_DIR": (str(tmp_path), tmp_path),
        "REDIS_URL": ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        "SECRET_KEY": ("new,old", Secret("new,old")),
        "ALLOW_PLAINTEXT": ("yes", True),
        "WEB_LISTEN": ("[::]:8025", "[::]:8025"),
        "WEB_PROXIES": ("10.0.0.0/8", "10.0.0.0/8"),
        "ALLOWED_NETWORKS": ("10.0.0.0/8, fd00::/8", (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))),
        "FORBIDDEN_NETWORKS": ("192.0.2.0/24", (ip_network("192.0.2.0/24"),)),
        "DESTINATION_SERVER": ("mail.example.org", Endpoint("mail.example.org")),
        "CA_FILE": (str(authority), authority),
        "SMTP_URL": ("smtps://mail.example.org", "smtps://mail.example.org"),
        "MAIL_FROM": ("haul@new.example", "haul@new.example"),
        "LANGUAGE": ("de-CH", "de-CH"),
        "TIME_ZONE": ("Europe/Zurich", ZoneInfo("Europe/Zurich")),
        "BRAND_NAME": ("Host", "Host"),
        "BRAND_LOGO": (str(logo), logo_of(logo.read_bytes())),
        "BRAND_COLOUR": ("#0B6464", "#0b6464"),
        "IMPRINT_URL": ("https://host.example/imprint", "https://host.example/imprint"),
        "PRIVACY_URL": ("https://host.example/privacy", "https://host.example/privacy"),
        "SUBMITTER": ("ada@new.example", "ada@new.example"),
        "LEG_SECONDS": ("60", 60),
        "LEASE_SECONDS": ("61", 61),
        "SETTLE_QUIET_SECONDS": ("0", 0),
        "BATCH_MESSAGES": ("7", 7),
        "BATCH_BYTES": ("1048576", 1048576),
        "LANES": ("3", 3),
        "COMPRESS": ("on", "on"),
        "FOLDERS": ("INBOX, Work/*", read_patterns("INBOX, Work/*")),
        "SINCE": ("2019-03-02", Since(date(2019, 3, 2))),
        "ACCOUNT_CONNECTIONS": ("4", 4),
        "HOST_CONNECTIONS": ("40", 40),
        "RUNNING_PER_OWNER": ("3", 3),
        "STARTS_PER_DAY": ("0", 0),
        "CLIENT_STARTS_PER_DAY": ("1000", 1000),
        "CONNECTIONS_BY_HOST": (
            "Mail.new.example=400, imap.old.example=8",
            {"mail.new.example": 400, "imap.old.example": 8},
        ),
        "DAILY_LIMITS": ("google=7/0, b=0/9", {"google": (7, None), "b": (None, 9)}),
        "WORKER_THREADS": ("2", 2),
        "TICK_SECONDS": ("7", 7),
        "IMAP_TIMEOUT_SECONDS": ("9", 9),
        "OPENID_ISSUER": ("https://login.example/", "https://login.example/"),
        "OPENID_CLIENT_ID": ("haul", "haul"),
        "OPENID_CLIENT_SECRET": ("s3cret", Secret("s3cret")),
        "OPENID_DOMAINS_CLAIM": ("mail_domains", "mail_domains"),
        "DESTINATION_MASTER_USER": ("overseer", "overseer"),
        "DESTINATION_MASTER_PASSWORD": ("m4ster", Secret("m4ster")),
        "DESTINATION_MASTER_SEPARATOR": ("*", "*"),
        "BATCH_RIGHT": (
            "Ada@new.example: New.example, other.example; ada@new.example:third.example;",
            {"ada@new.example": frozenset({"new.example", "other.example", "third.example"})},
        ),
        "OPENID_CLAIM": ("mail_addresses", "mail_addresses"),
        "OPENID_OPERATOR_CLAIM": ("groups = mailhaul-operators", "groups=mailhaul-operators"),
        "OPERATORS": ("It@new.example, ops@new.example", frozenset({"it@new.example", "ops@new.example"})),
        "OPENID_SCOPE": ("openid  mail", "openid mail"),
        "PASSWORD_SIGN_IN": ("yes", True),
        "OPENID_BUTTON": ("Sign in with Example", "Sign in with Example"),
        "PUBLIC_URL": ("https://haul.example/", "https://haul.example"),
        "CONSENT_DAYS": ("3", 3),
        "INVITATIONS": ("everyone", "everyone"),
        "AUDIT_DAYS": ("30", 30),
        "KEEP_REPORTS_DAYS": ("31", 31),
        "KEEP_REFUSALS_DAYS": ("32", 32),
        "KEEP_MAILS_DAYS": ("33", 33),
        "KEEP_RECEIPTS_DAYS": ("34", 34),
        "KEEP_LEASES_DAYS": ("35", 35),
        "KEEP_PASSWORDS_DAYS": ("0", 0),
        "FULL_MAILBOX_DAYS": ("30", 30),
        "FOLLOW_UNTIL": ("2026-12-31", FollowUntil(date(2026, 12, 31))),
        "CUTOVER_MX": (
            "MX1.example.net., mail.example.com",
            MxNames(("mx1.example.net", "mail.example.com")),
        ),
        "PASS_HOURS": ("24", 24),
        "LAST_PASS_HOURS": ("12", 12),
        "METRICS_LISTEN": ("127.0.0.1:9464", "127.0.0.1:9464"),
        "SESSION_IDLE_MINUTES": ("30", 30),
        "GIVE_BACK_CONSENT": ("no", False),
        "API_CALLS_PER_MINUTE": ("60", 60),
        "HSTS_SUBDOMAINS": ("true", True),
        "FRAME_ANCESTORS": (
            "https://Panel.example/, https://mail.panel.example:8443",
            ("https://panel.example", "https://mail.panel.example:8443"),
        ),
        "OTLP_ENDPOINT": ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
        "WEBHOOK_URL": ("https://panel.example/hook", "https://panel.example/hook"),
        "WEBHOOK_SECRET": ("0123456789abcdef", Secret("0123456789abcdef")),
        "LOG_FORMAT": ("JSON", "json"),
        "LOG_LEVEL": ("Debug", "debug"),
    }
    by_kind = {
        SettingKind.TEXT: ("1-2-3", "1-2-3"),
        SettingKind.URL: ("https://login.example/", "https://login.example"),
        SettingKind.SECRET: ("s3cret", Secret("s3cret")),
        SettingKind.FILE: (str(authority), authority),
        SettingKind.DOMAINS: ("Old.example, @older.example", {"old.example", "older.example"}),
    }
    for provider in SIGN_IN_PROVIDERS.values():
        values |= {f"{provider.id}_{s.name}".upper(): by_kind[s.kind] for s in provider.settings}
    for option in OPTIONS.values():
        if option.words or isinstance(option.default, bool):  # its last word, or yes
            text = option.words[-1].value if option.words else "yes"
            values[option.name.upper()] = text, option.parse(text)
    for name, (text, _) in values.items():
        monkeypatch.setenv(f"MAILHAUL_{name}", text)
    settings = Settings.load()
    assert {name: getattr(settings, name.lower()) for name in values} == {
        name: value for name, (_, value) in values.items()
    }
    # SECRET_KEY_FILE excludes SECRET_KEY, so it is tested separately.
    monkeypatch.delenv("MAILHAUL_SECRET_KEY")
    monkeypatch.setenv("MAILHAUL_SECRET_KEY_FILE", "~/key")
    assert Settings.load().secret_key_file == Path.home() / "key"
    assert {f"MAILHAUL_{name}" for name in (*values, "SECRET_KEY_FILE")} == {
        row[0] for row in Settings.table()
    }


def test_an_empty_variable_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_LEG_SECONDS", "")
    monkeypatch.setenv("MAILHAUL_DESTINATION_SERVER", "")
    assert Settings.load().leg_seconds == 300
    assert Settings.load().destination_server is None


def test_imap_urls_require_starttls_unless_plaintext_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_DESTINATION_SERVER", "imap://mail.example.org")
    required = Settings.load().destination_server
    allowed = Settings.load(allow_plaintext=True).destination_server
    assert required is not None
    assert required.security is Security.STARTTLS
    assert allowed is not None
    assert allowed.security is Security.PLAINTEXT


def test_the_command_line_overrides_only_the_given_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAILHAUL_ALLOW_PLAINTEXT", "true")
    settings = Settings.load(data=tmp_path / "elsewhere", allow_plaintext=None, ca_file=None)
    assert settings.data == tmp_path / "elsewhere"
    assert settings.database_url == f"sqlite:///{tmp_path}/elsewhere/mailhaul.db"
    assert settings.allow_plaintext is True


def test_a_ca_file_without_certificates_is_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setenv("MAILHAUL_CA_FILE", str(tmp_path / "ca.pem"))
    assert problems() == [
        f"MAILHAUL_CA_FILE is “{tmp_path}/ca.pem”; it must be a PEM file with certificates."
    ]


def test_all_mistakes_are_reported_together_with_value_and_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "LEG_SECONDS": "soon",
        "WORKER_THREADS": "0",
        "ALLOW_PLAINTEXT": "perhaps",
        "DESTINATION_SERVER": "pop3://mail.example.org",
        "CA_FILE": "/nowhere/ca.pem",
        "MAIL_FROM": "postmaster",
        "LOG_FORMAT": "xml",
        "DATABASE_URL": "mysql://db.example/mail",
        "REDIS_URL": "http://queue.example",
        "SMTP_URL": "mail.example.org:25",
    }
    for name, text in wrong.items():
        monkeypatch.setenv(f"MAILHAUL_{name}", text)
    messages = problems()
    assert len(messages) == len(wrong)
    for name, text in wrong.items():
        sentence = next(line for line in messages if line.startswith(f"MAILHAUL_{name} "))
        assert "must be" in sentence
        if not name.endswith("_URL"):
            assert f"“{text}”" in sentence
    assert "MAILHAUL_LEG_SECONDS is “soon”; it must be a whole number from 1 to 3000." in messages


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://queue.example:99999"),
        ("REDIS_URL", "redis://:6379"),
        ("REDIS_URL", "unix://"),
        ("DATABASE_URL", "sqlite://"),
        ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://mail.example.org:0"),
        ("SMTP_URL", "smtp://haul@mail.example.org"),
        ("SMTP_URL", "smtp://haul:p#w@mail.example.org"),
        ("SUBMITTER", "ada@old.example, eve@old.example"),
        ("LANES", "0"),
        ("FRAME_ANCESTORS", "panel.example"),
        ("FRAME_ANCESTORS", "http://panel.example"),
        ("FRAME_ANCESTORS", "https://panel.example; script-src *"),
        ("FRAME_ANCESTORS", "https://*"),
        ("FRAME_ANCESTORS", "*"),
        ("LANES", "17"),
        ("DAILY_LIMITS", "google=7"),
        ("BATCH_BYTES", "4 MiB"),
    ],
)
def test_an_invalid_value_is_rejected(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MAILHAUL_{name}", value)
    assert [line.split()[0] for line in problems()] == [f"MAILHAUL_{name}"]


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"GOOGLE_CLIENT_ID": "canary"}, ["GOOGLE_CLIENT_SECRET", "PUBLIC_URL"]),
        ({"GOOGLE_CLIENT_SECRET": "canary"}, ["GOOGLE_CLIENT_SECRET"]),
        ({"MICROSOFT_CLIENT_ID": "1", "MICROSOFT_CLIENT_SECRET": "canary"}, ["PUBLIC_URL"]),
        ({"GOOGLE_SERVICE_ACCOUNT_FILE": __file__}, ["GOOGLE_ORGANISATION_DOMAINS"]),
        ({"GOOGLE_ORGANISATION_DOMAINS": "old.example"}, ["GOOGLE_ORGANISATION_DOMAINS"]),
        ({"GOOGLE_ORGANISATION_DOMAINS": "everybody"}, ["GOOGLE_ORGANISATION_DOMAINS"]),
        (
            {"MICROSOFT_ORGANISATION_TENANT": "old.example"},
            ["MICROSOFT_ORGANISATION_CLIENT_ID", "MICROSOFT_ORGANISATION_DOMAINS"],
        ),
        ({"MICROSOFT_TENANT": "old.example/../evil"}, ["MICROSOFT_TENANT"]),
        ({"MICROSOFT_AUTHORITY": "http://login.example"}, ["MICROSOFT_AUTHORITY"]),
        (
            {"OPENID_ISSUER": "https://login.example"},
            ["OPENID_CLIENT_ID", "PUBLIC_URL"],
        ),
        ({"OPENID_CLIENT_ID": "haul"}, ["OPENID_CLIENT_ID"]),
        ({"OPENID_ISSUER": "http://login.example"}, ["OPENID_ISSUER"]),
        ({"OPENID_SCOPE": "email"}, ["OPENID_SCOPE"]),
        ({"PUBLIC_URL": "http://haul.example"}, ["PUBLIC_URL"]),
        ({"PUBLIC_URL": "https://haul.example/somewhere"}, ["PUBLIC_URL"]),
    ],
)
def test_related_settings_must_be_set_together(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], wrong: list[str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"MAILHAUL_{name}", value)
    messages = problems()
    assert [line.split()[0] for line in messages] == [f"MAILHAUL_{name}" for name in wrong]
    assert "canary" not in "".join(messages).replace("GOOGLE_CLIENT_ID is “canary”", "")


def test_the_public_url_may_lack_tls_on_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_PUBLIC_URL", "http://localhost:8000")
    assert Settings.load().public_url == "http://localhost:8000"


def test_keys_must_have_a_single_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_SECRET_KEY", "canary")
    monkeypatch.setenv("MAILHAUL_SECRET_KEY_FILE", "/run/secrets/key")
    (sentence,) = problems()
    assert sentence.startswith("MAILHAUL_SECRET_KEY_FILE is “/run/secrets/key”")
    assert "canary" not in sentence


@pytest.mark.parametrize("directory", ["MAILHAUL_SECRETS_DIR", "CREDENTIALS_DIRECTORY"])
def test_secrets_can_be_read_from_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: str
) -> None:
    monkeypatch.setenv(directory, str(tmp_path))
    (tmp_path / "mailhaul_secret_key").write_text("new\nold\n")
    (tmp_path / "mailhaul_database_url").write_text("postgresql://haul:pw@db.example/mail\n")
    (tmp_path / "mailhaul_smtp_url").write_text("\n")
    (tmp_path / "postgres_password").write_bytes(b"\xff is not ours")
    settings = Settings.load()
    assert settings.secret_key == Secret("new\nold")
    assert settings.database_url == "postgresql+psycopg://haul:pw@db.example/mail"
    assert (settings.smtp_url, settings.secrets_dir) == ("", tmp_path)
    assert Settings.load(secret_key=Secret("given")).secret_key == Secret("given")


def test_all_unusable_secret_files_are_reported_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAILHAUL_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("MAILHAUL_SMTP_URL", "smtp://canary:canary@mail.example")
    (tmp_path / "mailhaul_smtp_url").write_text("smtp://canary:canary@mail.example")
    (tmp_path / "mailhaul_redis_url").mkdir()
    (tmp_path / "mailhaul_secret_key").write_bytes(b"canary\xff")
    (tmp_path / "mailhaul_database_url").write_bytes(b"canary" * 20_000)
    messages = problems()
    assert len(messages) == 4
    assert "canary" not in "".join(messages)
    assert any("MAILHAUL_SMTP_URL is set, and so is the file" in sentence for sentence in messages)
    (tmp_path / "mailhaul_redis_url").rmdir()
    for name in ("smtp_url", "secret_key", "database_url"):
        (tmp_path / f"mailhaul_{name}").unlink()
    (tmp_path / "mailhaul_database_url").write_text("mysql://canary:canary@db.example/mail")
    assert [sentence.split()[0] for sentence in problems()] == ["MAILHAUL_DATABASE_URL"]
    assert "canary" not in problems()[0]
    monkeypatch.setenv("MAILHAUL_SECRETS_DIR", str(tmp_path / "nowhere"))
    assert problems() == [
        f"MAILHAUL_SECRETS_DIR is “{tmp_path}/nowhere”; it must be a directory of secret files."
    ]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("SECRET_KEY", "canary", None),
        ("GOOGLE_CLIENT_SECRET", None, "canary"),
        ("MICROSOFT_CLIENT_SECRET", None, "canary"),
        ("OPENID_CLIENT_SECRET", None, "canary"),
        ("DATABASE_URL", "postgresql://u:canary@db.example/m", "nonsense://u:canary@db.example/m"),
        ("REDIS_URL", "redis://:canary@queue.example", "nonsense://:canary@queue.example"),
        ("SMTP_URL", "smtp://u:canary@mail.example", "nonsense://u:canary@mail.example"),
        ("DESTINATION_SERVER", None, "imaps://ada:canary@mail.example"),
        ("DESTINATION_SERVER", None, "imaps//ada:canary@mail.example"),
    ],
)
def test_no_secret_appears_in_a_repr_or_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, good: str | None, bad: str | None
) -> None:
    if good is not None:
        monkeypatch.setenv(f"MAILHAUL_{name}", good)
        assert "canary" not in repr(Settings.load()) + str(Settings.load())
    if bad is not None:
        monkeypatch.setenv(f"MAILHAUL_{name}", bad)
        messages = problems()
        assert messages
        assert "canary" not in "".join(messages)


def test_the_data_directory_is_accessible_to_its_owner_only(tmp_path: Path) -> None:
    directory = Settings.load(data=tmp_path / "a" / "b").data_dir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert Settings.load(data=directory).data_dir() == directory


def test_a_data_directory_that_cannot_be_created_is_reported_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError) as caught:
        Settings.load(data=tmp_path / "file" / "data").data_dir()
    [problem] = caught.value.problems
    assert problem.code == "setting_data_folder"
    assert problem.params["folder"] == str(tmp_path / "file" / "data")


def test_the_table_documents_every_setting() -> None:
    for variable, default, meaning in Settings.table():
        assert variable.startswith("MAILHAUL_")
        assert default
        assert meaning.endswith(".")
        assert "|" not in default + meaning  # a cell of README's table
    assert ("MAILHAUL_LEG_SECONDS", "300") in [row[:2] for row in Settings.table()]


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        Settings.load().leg_seconds = 5


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Mail.Example.Org:443/", "https://mail.example.org"),
        ("https://mail.example.org:8443", "https://mail.example.org:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://127.0.0.1:8025", "http://127.0.0.1:8025"),
    ],
)
def test_the_origin_of_the_pages_is_normalised_like_in_browsers(given: str, origin: str) -> None:
    assert Settings.load(public_url=given).web_origin == origin
