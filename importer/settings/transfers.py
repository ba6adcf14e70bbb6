"""Settings for copies and for the limits of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.import_options import OPTIONS, ImportOptions, Option, text_of
from importer.settings.fields import setting
from importer.settings.outgoing_mail import MailSettings
from importer.settings.value_types import (
    DailyLimit,
    Kind,
    daily_limits,
    flag,
    host_numbers,
    one_of,
    text,
    whole,
)


class TransferSettings(MailSettings):
    """Copies and the limits of hosts."""

    leg_seconds: int = setting(
        300,
        "How long a worker runs one import before another import gets its turn.",
        "a whole number from 1 to 3000",
        whole(1, 3000),
    )
    lease_seconds: int = setting(
        20,
        "How long an import stays reserved for a worker that no longer responds.",
        "a whole number from 5 to 3600",
        whole(5, 3600),
    )
    full_mailbox_days: int = setting(
        7,
        "Days that an import waits for room in a new mailbox that is full, before it stops.",
        "a whole number from 0 to 60; 0 stops it at once",
        whole(0, 60),
    )
    pass_hours: int = setting(
        6,
        "Hours between two passes of an import that fetches new mail until its domain has moved, or a date.",
        "a whole number from 1 to 168",
        whole(1, 168),
    )
    last_pass_hours: int = setting(
        6,
        "Hours from the first sight of a move to the last pass: senders may use the old MX until its time to"
        " live is over.",
        "a whole number from 0 to 168",
        whole(0, 168),
    )
    settle_quiet_seconds: int = setting(
        10,
        "How long to keep searching for messages whose upload was not confirmed.",
        "a whole number from 0 to 600",
        whole(0, 600),
    )
    batch_messages: int = setting(
        200,
        "Maximum number of messages that are stored at a time.",
        "a whole number from 1 to 10000",
        whole(1, 10000),
    )
    batch_bytes: int = setting(
        4 * 2**20,
        "Maximum number of bytes that are stored at a time.",
        "a whole number, 65536 or more",
        whole(65_536),
    )
    lanes: int = setting(
        5,
        "Maximum number of connections of one import to each side.",
        "a whole number from 1 to 16",
        whole(1, 16),
    )
    compress: Literal["auto", "on", "off"] = setting(
        "auto",
        "Whether connections are compressed: auto compresses if the connection turns out to be slow.",
        "auto, on or off",
        one_of("auto", "on", "off"),
    )
    account_connections: int = setting(
        16,
        "Maximum number of connections to one mailbox, all workers together; fewer if the host allows fewer.",
        "a whole number from 1 to 1000",
        whole(1, 1000),
    )
    host_connections: int = setting(
        64,
        "Maximum number of connections to one host, all workers together.",
        "a whole number from 1 to 10000",
        whole(1, 10000),
    )
    connections_by_host: Mapping[str, int] = setting(
        lambda _: MappingProxyType({}),
        "Maximum number of connections to these hosts, such as mail.new.example=400,imap.old.example=8.",
        "entries such as mail.new.example=400, separated by commas, with numbers from 1 to 10000",
        host_numbers,
        shown="MAILHAUL_HOST_CONNECTIONS for each",
    )
    daily_limits: Mapping[str, DailyLimit] = setting(
        lambda _: MappingProxyType({}),
        "Bytes in 24 hours from one mailbox / into one, by provider, such as google=2000000000/450000000.",
        "entries such as google=2000000000/450000000, separated by commas; 0 is no limit",
        daily_limits,
        shown="the known limits of each host",
    )
    worker_threads: int = setting(
        8,
        "Number of imports that one worker process runs concurrently.",
        "a whole number from 1 to 64",
        whole(1, 64),
    )
    running_per_owner: int = setting(
        0,
        "Maximum number of imports of one person or API client that run at a time; 0 is no limit.",
        "a whole number, 0 or more",
        whole(0),
    )
    tick_seconds: int = setting(
        5,
        "Seconds between a worker's checks for due imports and mails.",
        "a whole number from 1 to 3600",
        whole(1, 3600),
    )
    imap_timeout_seconds: int = setting(
        30,
        "How long a mail server may be silent before the connection counts as lost.",
        "a whole number from 1 to 600",
        whole(1, 600),
    )

    @property
    def import_options(self) -> ImportOptions:
        """The options of imports whose submitters leave them open."""
        return ImportOptions(**{name: getattr(self, name) for name in OPTIONS})


def _option_kind(option: Option) -> Kind:
    def read(value: object) -> Any:
        try:
            return value if isinstance(value, type(option.default)) else option.parse(text(value))
        except Refused as refused:
            raise ValueError from refused

    return flag if option.api_type is bool else read


def _option_setting(option: Option) -> Any:
    shown = "false" if option.default is False else text_of(option.default)
    return setting(option.default, option.setting, option.rule, _option_kind(option), shown=shown)


for _option in OPTIONS.values():
    setattr(TransferSettings, _option.name, _option_setting(_option))
