"""How copies run, and what hosts allow, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from importer.domain.folder_mapping.label_rules import LabelRule
from importer.settings.fields import setting
from importer.settings.outgoing_mail import MailSettings
from importer.settings.value_types import DailyLimit, daily_limits, flag, one_of, whole


class TransferSettings(MailSettings):
    """How copies run, and what hosts allow."""

    leg_seconds: int = setting(
        300,
        "How long a worker stays with one import before another gets its turn.",
        "a whole number from 1 to 3000",
        whole(1, 3000),
    )
    lease_seconds: int = setting(
        60,
        "How long an import stays reserved for a worker that fell silent.",
        "a whole number from 5 to 3600",
        whole(5, 3600),
    )
    settle_quiet_seconds: int = setting(
        10,
        "How long to wait for messages whose storing was not confirmed before looking for them.",
        "a whole number from 0 to 600",
        whole(0, 600),
    )
    batch_messages: int = setting(
        200, "Most messages that are stored in one go.", "a whole number from 1 to 10000", whole(1, 10000)
    )
    batch_bytes: int = setting(
        4 * 2**20, "Most bytes that are stored in one go.", "a whole number, 65536 or more", whole(65_536)
    )
    lanes: int = setting(
        5, "Connections to each side that one import may use.", "a whole number from 1 to 16", whole(1, 16)
    )
    compress: Literal["auto", "on", "off"] = setting(
        "auto",
        "Whether mail is compressed on its way: auto does so where the line turns out to be slow.",
        "auto, on or off",
        one_of("auto", "on", "off"),
    )
    labels: LabelRule = setting(
        LabelRule.ONE,
        "What becomes of mail with several labels, from hosts that have labels (Gmail).",
        "one, keywords or each",
        LabelRule,
    )
    sync_flags: bool = setting(
        False,
        "Whether flags that changed at the old mailbox since the copy are brought over by later imports.",
        "true or false",
        flag,
        shown="false",
    )
    account_connections: int = setting(
        16,
        "Connections to one mailbox at a time, of all workers together; less where the host allows less.",
        "a whole number from 1 to 1000",
        whole(1, 1000),
    )
    host_connections: int = setting(
        64,
        "Connections to one host at a time, of all workers together.",
        "a whole number from 1 to 10000",
        whole(1, 10000),
    )
    daily_limits: Mapping[str, DailyLimit] = setting(
        lambda _: MappingProxyType({}),
        "Bytes in 24 hours out of one mailbox / into one, by provider, as google=2000000000/450000000.",
        "entries such as google=2000000000/450000000, separated by commas; 0 is no limit",
        daily_limits,
        shown="what is known of each host",
    )
    worker_threads: int = setting(
        4, "Imports that one worker process runs at a time.", "a whole number from 1 to 64", whole(1, 64)
    )
    tick_seconds: int = setting(
        15,
        "How often a worker looks for imports and mails that are due.",
        "a whole number from 1 to 3600",
        whole(1, 3600),
    )
    imap_timeout_seconds: int = setting(
        30,
        "How long a mail server may stay silent before its connection counts as lost.",
        "a whole number from 1 to 600",
        whole(1, 600),
    )
