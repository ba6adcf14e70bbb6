"""Mailferry's settings: environment variables that start with MAILFERRY_, read once at the start.

Invariants kept here: every setting has a variable, a default and a meaning (`Settings.table`); wrong
values are reported all at once, each with its fix; no secret shows in `repr`, `str` or an error.
An empty variable counts as not set. Any of them may come from a file instead: see `secret_files`.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from platformdirs import user_data_dir
from pydantic import BeforeValidator, Field, PlainValidator, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from importer import secret_files
from importer.domain.labels import LabelRule
from providers.master import SEPARATORS, MasterUser, domain_name, plain_domain
from providers.model import Endpoint, Secret

Network = IPv4Network | IPv6Network

_PREFIX: Final = "MAILFERRY_"
_DATABASE_SCHEMES: Final = ("sqlite", "postgresql+psycopg")


class SettingsError(Exception):
    """Settings that cannot be used; `problems` holds one sentence for each, and so does `str`, by lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def _secret(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) else value if isinstance(value, Secret) else None


def _endpoint(value: object, info: ValidationInfo) -> Endpoint | None:
    if value is None or isinstance(value, Endpoint):
        return value
    return Endpoint.parse(str(value), allow_plaintext=bool(info.data.get("allow_plaintext")))


class DailyLimit(NamedTuple):
    """Bytes in 24 hours, out of one mailbox and into one; None is no limit."""

    down_bytes: int | None
    up_bytes: int | None


def _daily_limits(value: object) -> Mapping[str, DailyLimit]:
    if isinstance(value, Mapping):
        return value
    limits: dict[str, DailyLimit] = {}
    for entry in filter(str.strip, str(value).split(",")):
        found = re.fullmatch(r"\s*([\w.-]+)=(\d+)/(\d+)\s*", entry)
        if found is None:
            raise ValueError
        limits[found[1]] = DailyLimit(int(found[2]) or None, int(found[3]) or None)
    return MappingProxyType(limits)


def _networks(value: object) -> tuple[Network, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(ip_network(part.strip()) for part in str(value).split(",") if part.strip())


def _expanded(value: object) -> object:
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) else value


def _domains(value: object) -> frozenset[str]:
    if isinstance(value, frozenset):
        return value
    names = [name.strip().strip("@.").casefold() for name in str(value).split(",") if name.strip()]
    if not all(re.fullmatch(r"[^\s@/:]+\.[^\s@/:]+", name) for name in names):
        raise ValueError
    return frozenset(names)


def _administrators(value: object) -> Mapping[str, frozenset[str]]:
    if isinstance(value, Mapping):
        return value
    found: dict[str, frozenset[str]] = {}
    for entry in filter(str.strip, str(value).split(";")):
        person, _, listed = entry.partition(":")
        domains = {domain_name(name.strip()) for name in listed.split(",") if name.strip()}
        if plain_domain(person.strip()) is None or None in domains or not domains:
            raise ValueError
        name = person.strip().lower()
        found[name] = found.get(name, frozenset()) | {one for one in domains if one is not None}
    return MappingProxyType(found)


_Domains = Annotated[frozenset[str], NoDecode, PlainValidator(_domains)]
_Administrators = Annotated[Mapping[str, frozenset[str]], NoDecode, PlainValidator(_administrators)]
_Secret = Annotated[Secret | None, NoDecode, PlainValidator(_secret)]
_File = Annotated[Path, BeforeValidator(_expanded)]


def _setting(default: Any, meaning: str, rule: str, *, shown: str | None = None, **rest: Any) -> Any:
    """One field. `rule` ends the sentence "must be …"; `shown` stands for a default that is computed."""
    extra: dict[str, Any] = {"rule": rule, "shown": shown}
    if callable(default):
        return Field(default_factory=default, description=meaning, json_schema_extra=extra, **rest)
    return Field(default=default, description=meaning, json_schema_extra=extra, **rest)


def _client_secret(provider: str) -> Any:
    return _setting(
        None,
        "Client secret of that application.",
        f"the client secret of {_PREFIX}{provider}_CLIENT_ID, and set with it",
        shown="none",
        repr=False,
        validate_default=True,
    )


def _organisation_domains(needed_by: str) -> Any:
    return _setting(
        frozenset(),
        "Domains whose mailboxes that permission opens, separated by commas; no others are opened with it.",
        f"domains such as example.org,example.com, and set with {_PREFIX}{needed_by}",
        shown="none",
        validate_default=True,
    )


class Settings(BaseSettings):
    """All settings, frozen. Build it with `Settings.load`, which raises SettingsError.

    Times are seconds, sizes are bytes. Order matters: a field may look at those above it.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, arbitrary_types_allowed=True, extra="forbid"
    )

    data: _File = _setting(
        lambda: Path(user_data_dir("mailferry")),
        "Directory for everything that Mailferry keeps: database, key, embedded queue.",
        "a directory",
        shown="the user's data directory",
    )
    secrets_dir: _File | None = _setting(
        lambda: secret_files.directory(os.environ),
        "Directory with settings as files, named like their variables in lower case: mailferry_smtp_url.",
        "a directory",
        shown="none; under systemd, the credentials of the service",
    )
    database_url: str = _setting(
        lambda data: f"sqlite:///{data['data']}/mailferry.db" if "data" in data else "",
        "Database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
        "a URL that starts with sqlite:/// or postgresql://",
        shown="SQLite file mailferry.db in MAILFERRY_DATA",
        repr=False,
    )
    redis_url: str = _setting(
        "",
        "Redis or Valkey for the queue: redis://, rediss:// or unix://. Without it, Mailferry runs its own.",
        "a URL such as redis://127.0.0.1:6379/0 or unix:///run/redis/redis.sock",
        shown="embedded Valkey in MAILFERRY_DATA",
        repr=False,
    )
    secret_key: _Secret = _setting(
        None,
        "Fernet keys that seal stored passwords, separated by commas; the first seals, all of them open.",
        "one or more Fernet keys, separated by commas",
        shown="see MAILFERRY_SECRET_KEY_FILE",
        repr=False,
    )
    secret_key_file: _File | None = _setting(
        None,
        "File with those keys instead, not readable by everybody.",
        "a file name, and MAILFERRY_SECRET_KEY must not be set beside it",
        shown="secret.key in MAILFERRY_DATA, made when absent",
    )
    allow_plaintext: bool = _setting(
        False,
        "Whether imap:// may go on without encryption where the server offers no STARTTLS.",
        "true or false",
        shown="false",
    )
    allowed_networks: Annotated[tuple[Network, ...], NoDecode, PlainValidator(_networks)] = _setting(
        (),
        "Private networks in which users may name mail servers, separated by commas, such as 10.0.0.0/8.",
        "networks such as 10.0.0.0/8 or fd00::/8, separated by commas",
        shown="none",
    )
    forbidden_networks: Annotated[tuple[Network, ...], NoDecode, PlainValidator(_networks)] = _setting(
        (),
        "Public networks in which users may name none, such as your own.",
        "networks such as 192.0.2.0/24, separated by commas",
        shown="none",
    )
    destination_server: Annotated[Endpoint | None, NoDecode, PlainValidator(_endpoint)] = _setting(
        None,
        "Server that imports go to unless a row names another: imaps://HOST[:PORT], or imap:// for STARTTLS.",
        "a server such as imaps://mail.example.org",
        shown="none; each import must name one",
    )
    destination_master_user: str = _setting(
        "",
        "Master user of that server: opens new mailboxes without their passwords, by the batch right.",
        "a name without blanks, and MAILFERRY_DESTINATION_SERVER must be set with it",
        shown="none; each new mailbox is opened by its own password",
    )
    destination_master_password: _Secret = _setting(
        None,
        "Password of that master user.",
        "the password of MAILFERRY_DESTINATION_MASTER_USER, and set with it",
        shown="none",
        repr=False,
        validate_default=True,
    )
    destination_master_separator: str = _setting(
        "",
        "For logins as mailbox*master (Dovecot's auth_master_user_separator), the character between them.",
        f"one of {SEPARATORS}",
        shown="none; the mailbox is the authorisation identity of SASL PLAIN (RFC 4616)",
    )
    batch_right: _Administrators = _setting(
        lambda: MappingProxyType({}),
        "Administrators, by the address that they sign in with, and their domains: the batch right.",
        "entries such as ada@new.example: new.example, other.example; with ; between them, domains in their"
        " ASCII form, and MAILFERRY_DESTINATION_MASTER_USER set too",
        shown="nobody but the console",
    )
    ca_file: _File | None = _setting(
        None,
        "PEM file with certificate authorities to trust besides the system's, for IMAP, SMTP and sign-in.",
        "a PEM file with certificates",
        shown="the system's only",
    )
    smtp_url: str = _setting(
        "",
        "Server for completion mails: smtps://, smtp+starttls:// or smtp:// and [USER:PASSWORD@]HOST[:PORT].",
        "a URL such as smtps://USER:PASSWORD@HOST or smtp://localhost, with / # ? @ : in a password encoded",
        shown="none; nobody is written to",
        repr=False,
    )
    mail_from: str = _setting(
        lambda: f"mailferry@{socket.gethostname()}",
        "Sender of completion mails.",
        "one mail address",
        shown="mailferry@ and this host's name",
    )
    language: Literal["en", "de", "fr", "it", "es"] = _setting(
        "en",
        "Language of mails to those who did not choose one.",
        "one of en, de, fr, it, es",
    )
    submitter: str = _setting(
        "",
        "Address that gets the summary of a batch when its submitter gave none.",
        "one mail address",
        shown="nobody",
    )
    leg_seconds: int = _setting(
        300,
        "How long a worker stays with one import before another gets its turn.",
        "a whole number from 1 to 3000",
        ge=1,
        le=3000,
    )
    lease_seconds: int = _setting(
        60,
        "How long an import stays reserved for a worker that fell silent.",
        "a whole number from 5 to 3600",
        ge=5,
        le=3600,
    )
    settle_quiet_seconds: int = _setting(
        10,
        "How long to wait for messages whose storing was not confirmed before looking for them.",
        "a whole number from 0 to 600",
        ge=0,
        le=600,
    )
    batch_messages: int = _setting(
        200, "Most messages that are stored in one go.", "a whole number from 1 to 10000", ge=1, le=10_000
    )
    batch_bytes: int = _setting(
        4 * 2**20, "Most bytes that are stored in one go.", "a whole number, 65536 or more", ge=65_536
    )
    lanes: int = _setting(
        4, "Connections to each side that one import may use.", "a whole number from 1 to 16", ge=1, le=16
    )
    compress: Literal["auto", "on", "off"] = _setting(
        "auto",
        "Whether mail is compressed on its way: auto does so where the line turns out to be slow.",
        "auto, on or off",
    )
    labels: LabelRule = _setting(
        LabelRule.ONE,
        "What becomes of mail with several labels, from hosts that have labels (Gmail).",
        "one, keywords or each",
    )
    sync_flags: bool = _setting(
        False,
        "Whether flags that changed at the old mailbox since the copy are brought over by later imports.",
        "true or false",
        shown="false",
    )
    account_connections: int = _setting(
        16,
        "Connections to one mailbox at a time, of all workers together; less where the host allows less.",
        "a whole number from 1 to 1000",
        ge=1,
        le=1000,
    )
    host_connections: int = _setting(
        64,
        "Connections to one host at a time, of all workers together.",
        "a whole number from 1 to 10000",
        ge=1,
        le=10_000,
    )
    daily_limits: Annotated[Mapping[str, DailyLimit], NoDecode, PlainValidator(_daily_limits)] = _setting(
        lambda: MappingProxyType({}),
        "Bytes in 24 hours out of one mailbox / into one, by provider, as google=2000000000/450000000.",
        "entries such as google=2000000000/450000000, separated by commas; 0 is no limit",
        shown="what is known of each host",
    )
    worker_threads: int = _setting(
        4, "Imports that one worker process runs at a time.", "a whole number from 1 to 64", ge=1, le=64
    )
    tick_seconds: int = _setting(
        15,
        "How often a worker looks for imports and mails that are due.",
        "a whole number from 1 to 3600",
        ge=1,
        le=3600,
    )
    imap_timeout_seconds: int = _setting(
        30,
        "How long a mail server may stay silent before its connection counts as lost.",
        "a whole number from 1 to 600",
        ge=1,
        le=600,
    )
    google_client_id: str = _setting(
        "",
        "Client ID of the OAuth application at Google that owners of mailboxes sign in to.",
        "the client ID from the Google Cloud console",
        shown="none; nobody can sign in with Google",
    )
    google_client_secret: _Secret = _client_secret("GOOGLE")
    google_service_account_file: _File | None = _setting(
        None,
        "JSON key of a service account with domain-wide delegation, for an organisation's Google mailboxes.",
        "a file that exists",
        shown="none",
    )
    google_organisation_domains: _Domains = _organisation_domains("GOOGLE_SERVICE_ACCOUNT_FILE")
    google_authority: str = _setting(
        "",
        "Stands in for Google when signing in, for rehearsals.",
        "a URL such as https://HOST:PORT/PATH",
        shown="Google",
    )
    microsoft_client_id: str = _setting(
        "",
        "Application (client) ID of the app registration at Microsoft that owners of mailboxes sign in to.",
        "the application ID from the Microsoft Entra admin center",
        shown="none; nobody can sign in with Microsoft",
    )
    microsoft_client_secret: _Secret = _client_secret("MICROSOFT")
    microsoft_tenant: str = _setting(
        "common",
        "Who can sign in: common, organizations, consumers, or one directory by ID or domain.",
        "common, organizations, consumers, or a directory's ID or domain",
    )
    microsoft_organisation_tenant: str = _setting(
        "",
        "Directory that lets an application into its mailboxes (IMAP.AccessAsApp), by ID or domain.",
        "a directory's ID or domain",
        shown="none",
    )
    microsoft_organisation_client_id: str = _setting(
        "",
        "Application (client) ID for that directory.",
        "an application ID, and it or MAILFERRY_MICROSOFT_CLIENT_ID must be set with the directory",
        shown="MAILFERRY_MICROSOFT_CLIENT_ID",
        validate_default=True,
    )
    microsoft_organisation_client_secret: _Secret = _setting(
        None,
        "Client secret of the application for that directory.",
        "the client secret of MAILFERRY_MICROSOFT_ORGANISATION_CLIENT_ID, and set with it",
        shown="MAILFERRY_MICROSOFT_CLIENT_SECRET",
        repr=False,
        validate_default=True,
    )
    microsoft_organisation_domains: _Domains = _organisation_domains("MICROSOFT_ORGANISATION_TENANT")
    microsoft_authority: str = _setting(
        "https://login.microsoftonline.com",
        "Where signing in with Microsoft begins; sovereign clouds have others.",
        "a URL such as https://login.microsoftonline.com",
    )
    openid_issuer: str = _setting(
        "",
        "OpenID Connect issuer at which people sign in to the pages, letter by letter as it names itself.",
        "a URL such as https://login.example.org",
        shown="none; people sign in with a mailbox",
    )
    openid_client_id: str = _setting(
        "",
        "Client ID that Mailferry has at that issuer.",
        "the client ID, and set with MAILFERRY_OPENID_ISSUER",
        shown="none",
        validate_default=True,
    )
    openid_client_secret: _Secret = _client_secret("OPENID")
    openid_claim: str = _setting(
        "email",
        "Claim with the mail addresses that are a person's own: one, or a list of them.",
        "the name of a claim such as email or mail_addresses",
        min_length=1,
    )
    openid_domains_claim: str = _setting(
        "",
        "Claim with the domains that a person administers: the batch right for these.",
        "the name of a claim such as mail_domains, and MAILFERRY_OPENID_ISSUER and"
        " MAILFERRY_DESTINATION_MASTER_USER must be set with it",
        shown="none",
    )
    openid_scope: str = _setting(
        "openid email",
        "Scope that is asked for, so that the claim comes along.",
        "words with openid among them",
    )
    openid_button: str = _setting(
        "",
        "What the button that leads to the issuer says.",
        "a short text",
        shown="Sign in with your account, in the reader's language",
        max_length=60,
    )
    public_url: str = _setting(
        "",
        "Address at which people reach Mailferry's pages. Signing in comes back there.",
        "a URL such as https://mailferry.example.org, and set whenever owners can sign in",
        shown="none",
        validate_default=True,
    )
    consent_days: int = _setting(
        14,
        "How long an owner who was asked to sign in may take; then the import ends.",
        "a whole number from 1 to 90",
        ge=1,
        le=90,
    )
    give_back_consent: bool = _setting(
        True,
        "Whether an owner's consent is given back to its provider when the import ends.",
        "true or false",
        shown="true",
    )
    web_listen: str = _setting(
        "127.0.0.1:8025",
        "Address and port that the web pages are served on, without TLS: a proxy in front adds it.",
        "HOST:PORT, such as 127.0.0.1:8025 or [::]:8025",
    )
    web_proxies: str = _setting(
        "127.0.0.1",
        "Proxies whose word about the client's address is taken, separated by commas.",
        "addresses or networks, separated by commas",
    )
    api_calls_per_minute: int = _setting(
        600, "Calls of the API that one token may make a minute.", "a whole number, 1 or more", ge=1
    )
    webhook_url: str = _setting(
        "",
        "Address that is called when any import ends or needs somebody; tokens have their own.",
        "a URL such as https://panel.example.org/mailferry",
        shown="none",
    )
    webhook_secret: _Secret = _setting(
        None,
        "What signs those calls.",
        "any text of 16 characters or more, and set with MAILFERRY_WEBHOOK_URL",
        shown="none",
        repr=False,
        validate_default=True,
    )
    log_format: Literal["console", "json"] = _setting(
        "console", "Form of the log on stderr.", "console or json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "Least level that is logged.", "debug, info, warning or error"
    )

    @classmethod
    def load(cls, **overlay: object) -> Settings:
        """Reads the environment. `overlay` is what the command line gave, by field name (`data`,
        `ca_file`, `allow_plaintext` …): it wins over the environment, and None means not given
        (so a flag that was left out is None, not False). Files of secrets stand for variables.

        Raises SettingsError with all problems at once.
        """
        given: dict[str, Any] = {name: value for name, value in overlay.items() if value is not None}
        fields = {_PREFIX + name.upper(): name for name in cls.model_fields if name != "secrets_dir"}
        try:
            files = secret_files.read(os.environ, fields)
            return cls(**{fields[variable]: text for variable, text in files.items()} | given)
        except secret_files.SecretFilesUnusable as error:
            raise SettingsError(list(error.problems)) from None
        except ValidationError as error:
            raise SettingsError([_sentence(detail) for detail in error.errors()]) from None

    @classmethod
    def table(cls) -> list[tuple[str, str, str]]:
        """(variable, default, meaning) of every setting, in order."""
        rows = []
        for name, field in cls.model_fields.items():
            shown = _extra(name)["shown"] or str(field.default)
            rows.append((_PREFIX + name.upper(), shown, field.description or ""))
        return rows

    @property
    def web_origin(self) -> str:
        """Where the pages are, `scheme://host[:port]`, as browsers write it: small letters, and no
        port where it is the scheme's own (RFC 6454 section 6.2)."""
        scheme, _, where = (self.public_url or f"http://{self.web_listen}").lower().partition("://")
        host = where.removesuffix({"http": ":80", "https": ":443"}[scheme])
        return f"{scheme}://{host}"

    def data_dir(self) -> Path:
        """The data directory; made, readable by its owner only, when absent. Raises SettingsError."""
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                [f"{_PREFIX}DATA is “{self.data}”, which cannot be made: {error.strerror}. Name another."]
            ) from None
        return self.data

    @property
    def has_organisation(self) -> bool:
        """Whether some organisation lets us into its mailboxes."""
        return self.google_service_account_file is not None or bool(self.microsoft_organisation_tenant)

    @property
    def master(self) -> MasterUser | None:
        """The master user of the host that imports go to."""
        if self.destination_server is None or self.destination_master_password is None:
            return None
        return MasterUser(
            self.destination_server,
            self.destination_master_user,
            self.destination_master_password,
            self.destination_master_separator,
        )

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if scheme in ("postgres", "postgresql"):
            scheme = "postgresql+psycopg"
        if scheme not in _DATABASE_SCHEMES or not rest:
            raise ValueError
        return scheme + separator + rest

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and not (parts.hostname if parts.scheme in ("redis", "rediss") else parts.path.strip("/")):
            raise ValueError
        if value and (parts.scheme not in ("redis", "rediss", "unix") or parts.port == 0):
            raise ValueError
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: str) -> str:
        parts = urlsplit(value)
        known = parts.scheme in ("smtp", "smtp+starttls", "smtps")
        if value and not (known and parts.hostname and parts.port != 0 and parts.path in ("", "/")):
            raise ValueError
        if parts.query or parts.fragment or bool(parts.username) != bool(parts.password):
            raise ValueError
        return value

    @field_validator("web_listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        parts = urlsplit(f"//{value}")
        if not parts.hostname or parts.port is None or parts.netloc != value or "@" in value:
            raise ValueError
        return value

    @field_validator("secret_key_file")
    @classmethod
    def _one_source_of_keys(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("secret_key") is not None:
            raise ValueError
        return value

    @field_validator(
        "google_client_secret",
        "microsoft_client_secret",
        "microsoft_organisation_client_secret",
        "openid_client_secret",
    )
    @classmethod
    def _secret_with_id(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        client_id = info.data.get(str(info.field_name).removesuffix("secret") + "id")
        if bool(client_id) != (value is not None and bool(value.reveal())):
            raise ValueError
        return value

    @field_validator("destination_master_user")
    @classmethod
    def _master_of_a_server(cls, value: str, info: ValidationInfo) -> str:
        if value and (re.search(r"\s|[\x00-\x1f\x7f]", value) or not info.data.get("destination_server")):
            raise ValueError
        return value

    @field_validator("destination_master_password")
    @classmethod
    def _master_password(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if bool(info.data.get("destination_master_user")) != (value is not None):
            raise ValueError
        return value

    @field_validator("destination_master_separator")
    @classmethod
    def _separates(cls, value: str) -> str:
        if value and (value not in SEPARATORS or len(value) != 1):
            raise ValueError
        return value

    @field_validator("batch_right", "openid_domains_claim")
    @classmethod
    def _by_a_master(cls, value: Any, info: ValidationInfo) -> Any:
        issuer = info.field_name != "openid_domains_claim" or info.data.get("openid_issuer")
        if value and not (info.data.get("destination_master_user") and issuer):
            raise ValueError
        return value

    @field_validator("webhook_url")
    @classmethod
    def _callable(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("https", "http") or not parts.hostname or parts.username):
            raise ValueError
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if bool(info.data.get("webhook_url")) != (value is not None):
            raise ValueError
        if value is not None and len(value.reveal()) < 16:
            raise ValueError
        return value

    @field_validator("openid_issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        right = parts.scheme == "https" and parts.hostname and not (parts.username or parts.query)
        if value and (not right or parts.fragment):
            raise ValueError
        return value  # a slash at its end belongs to its name

    @field_validator("openid_client_id")
    @classmethod
    def _known_there(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) != bool(info.data.get("openid_issuer")):
            raise ValueError
        return value

    @field_validator("openid_scope")
    @classmethod
    def _openid_scope(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError
        return " ".join(value.split())

    @field_validator("microsoft_organisation_client_id")
    @classmethod
    def _some_application(cls, value: str, info: ValidationInfo) -> str:
        directory = info.data.get("microsoft_organisation_tenant")
        if directory and not (value or info.data.get("microsoft_client_id")):
            raise ValueError
        return value

    @field_validator("google_organisation_domains", "microsoft_organisation_domains")
    @classmethod
    def _domains_with_permission(cls, value: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        google = str(info.field_name).startswith("google")
        needs = info.data.get("google_service_account_file" if google else "microsoft_organisation_tenant")
        if bool(needs) != bool(value):
            raise ValueError
        return value

    @field_validator("google_authority", "microsoft_authority")
    @classmethod
    def _https(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment):
            raise ValueError
        return value.rstrip("/")

    @field_validator("microsoft_tenant", "microsoft_organisation_tenant")
    @classmethod
    def _tenant(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.-]*", value):
            raise ValueError
        return value

    @field_validator("public_url")
    @classmethod
    def _reachable(cls, value: str, info: ValidationInfo) -> str:
        parts = urlsplit(value)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")  # where OAuth takes http too
        right = parts.hostname and parts.scheme in (("https", "http") if local else ("https",))
        if value and (not right or parts.path.strip("/") or parts.query or parts.fragment or parts.username):
            raise ValueError
        asking = ("google_client_id", "microsoft_client_id", "openid_issuer")
        if not value and any(map(info.data.get, asking)):
            raise ValueError
        return value.rstrip("/")

    @field_validator("google_service_account_file")
    @classmethod
    def _exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError
        return value

    @field_validator("ca_file")
    @classmethod
    def _certificates(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=str(value))
            except (OSError, ssl.SSLError):
                raise ValueError from None
        return value

    @field_validator("mail_from", "submitter")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", value):
            raise ValueError
        return value


def _extra(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", Settings.model_fields[name].json_schema_extra)


def _sentence(detail: ErrorDetails) -> str:
    """One problem, told to the operator: which variable, which value (unless it is secret), what to write."""
    name = str(detail["loc"][0])
    if name not in Settings.model_fields:
        return f"“{name}” is not a setting."
    variable = _PREFIX + name.upper()
    rule = _extra(name)["rule"]
    if not Settings.model_fields[name].repr:
        return f"{variable} cannot be used (its value is not shown); it must be {rule}."
    return f"{variable} is “{_without_credentials(str(detail['input']))}”; it must be {rule}."


def _without_credentials(value: str) -> str:
    """Everything before the last @ is left out where a colon in it may set off a password."""
    before, at, after = value.rpartition("@")
    return f"•••@{after}" if at and ":" in before else value
