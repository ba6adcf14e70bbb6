"""Settings for copies and for the limits of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.import_options import OPTION_RULE, OPTIONS, ImportOptions, Option, text_of
from importer.settings.fields import setting, whole_number
from importer.settings.outgoing_mail import MailSettings
from importer.settings.value_types import (
    DailyLimit,
    Kind,
    daily_limits,
    flag,
    host_numbers,
    one_of,
    text,
)
from providers.text import Text


class TransferSettings(MailSettings):
    """Copies and the limits of hosts."""

    leg_seconds: int = whole_number(
        300, "How long a worker runs one import before another import gets its turn.", 1, 3000
    )
    lease_seconds: int = whole_number(
        20, "How long an import stays reserved for a worker that no longer responds.", 5, 3600
    )
    full_mailbox_days: int = whole_number(
        7,
        "Days that an import waits for room in a new mailbox that is full, before it stops.",
        0,
        60,
        zero=Text("setting_rule.zero_stops"),
    )
    pass_hours: int = whole_number(
        6,
        "Hours between two passes of an import that fetches new mail until its domain has moved, or a date.",
        1,
        168,
    )
    last_pass_hours: int = whole_number(
        6,
        "Hours from the first sight of a move to the last pass: senders may use the old MX until its time to"
        " live is over.",
        0,
        168,
    )
    settle_quiet_seconds: int = whole_number(
        10,
        "How long to look for messages whose upload was not confirmed, or that are not listed afterwards.",
        0,
        600,
    )
    batch_messages: int = whole_number(200, "Maximum number of messages that are stored at a time.", 1, 10000)
    batch_bytes: int = whole_number(4 * 2**20, "Maximum number of bytes that are stored at a time.", 65_536)
    lanes: int = whole_number(5, "Maximum number of connections of one import to each side.", 1, 16)
    compress: Literal["auto", "on", "off"] = setting(
        "auto",
        "Whether connections are compressed: auto compresses if the connection turns out to be slow.",
        Text("setting_rule.one_of", words="auto, on, off"),
        one_of("auto", "on", "off"),
    )
    account_connections: int = whole_number(
        16,
        "Maximum number of connections to one mailbox, all workers together; fewer if the host allows fewer.",
        1,
        1000,
    )
    host_connections: int = whole_number(
        64, "Maximum number of connections to one host, all workers together.", 1, 10000
    )
    connections_by_host: Mapping[str, int] = setting(
        lambda _: MappingProxyType({}),
        "Maximum number of connections to these hosts, such as mail.new.example=400,imap.old.example=8.",
        Text("setting_rule.connections_by_host"),
        host_numbers,
        shown="MAILHAUL_HOST_CONNECTIONS for each",
    )
    daily_limits: Mapping[str, DailyLimit] = setting(
        lambda _: MappingProxyType({}),
        "Bytes in 24 hours from one mailbox / into one, by provider, such as google=2000000000/450000000.",
        Text("setting_rule.daily_limits"),
        daily_limits,
        shown="the known limits of each host",
    )
    worker_threads: int = whole_number(
        8, "Number of imports that one worker process runs concurrently.", 1, 64
    )
    running_per_owner: int = whole_number(
        0, "Maximum number of imports of one person or API client that run at a time; 0 is no limit.", 0
    )
    tick_seconds: int = whole_number(
        5, "Seconds between a worker's checks for due imports and mails.", 1, 3600
    )
    imap_timeout_seconds: int = whole_number(
        30, "How long a mail server may be silent before the connection counts as lost.", 1, 600
    )

    @property
    def import_options(self) -> ImportOptions:
        """The import options that apply if submitters leave them open."""
        return ImportOptions(**{name: getattr(self, name) for name in OPTIONS})


def _option_kind(option: Option) -> Kind:
    def read(value: object) -> Any:
        try:
            return value if isinstance(value, type(option.default)) else option.parse(text(value))
        except Refused as refused:
            raise ValueError from refused

    return flag if option.api_type is bool else read


def _option_setting(option: Option) -> Any:
    rule = Text(OPTION_RULE, option=option.name)
    shown = "false" if option.default is False else text_of(option.default)
    return setting(option.default, option.setting, rule, _option_kind(option), shown=shown)


for _option in OPTIONS.values():
    setattr(TransferSettings, _option.name, _option_setting(_option))
