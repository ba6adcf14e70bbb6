"""What the check of two mailboxes warns of, in plain sentences, and the whole check as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from importer.domain.reporting.formatting import printable
from importer.domain.reporting.mailbox_check import Check, FolderCheck, SideCheck
from importer.i18n.alert_texts import alert_texts, alerts_json
from importer.i18n.code_texts import render
from importer.i18n.folder_names import ShownFolders
from importer.i18n.option_texts import word_sentences
from importer.i18n.phase_texts import check_phase_text
from importer.i18n.reason_texts import reason
from importer.i18n.report_json import problem_json
from importer.i18n.translations import CatalogTranslator
from providers.text import Text

SAME_NAME: Final = Text("folder_name")


def check_warnings(texts: CatalogTranslator, check: Check) -> Iterator[str]:
    """What its user should know before the start. May quote foreign text."""
    if check.fits is False:
        yield _does_not_fit(texts, check)
    exact = all(folder.exact for folder in check.folders)
    if too_large := sum(folder.too_large for folder in check.folders):
        yield _too_large(texts, too_large, check.destination.max_message_bytes or 0, exact=exact)
    if beyond_limit := sum(folder.beyond_limit for folder in check.folders):
        yield _beyond_limit(texts, beyond_limit, check.max_message_bytes, exact=exact)
    if older := sum(folder.older for folder in check.folders):
        yield texts.ngettext(
            "%(num)s message is older than the chosen date and will be left out.",
            "%(num)s messages are older than the chosen date and will be left out.",
            older,
        )
    for pattern in check.unmatched:
        yield texts.gettext(
            "No folder matches %(pattern)s. Check how it is spelled.", pattern=f"“{printable(pattern)}”"
        )
    for name, why in check.closed:
        yield texts.gettext(
            "The folder “%(folder)s” cannot be opened, and nothing in it would be copied: %(reason)s",
            folder=name,
            reason=reason(texts, why),
        )
    for name, why, messages in check.left_out:
        count = f" ({texts.ngettext('%(num)s message', '%(num)s messages', messages)})" if messages else ""
        yield texts.gettext(
            "The folder “%(folder)s”%(count)s is left out: %(reason)s.",
            folder=name,
            count=count,
            reason=reason(texts, why),
        )
    if check.may_be_renamed:
        yield texts.gettext(
            "Some servers refuse dots in folder names and names that differ only in case. If the new one"
            " does, similar names replace these: %(folders)s",
            folders=", ".join(check.may_be_renamed),
        )
    yield from alert_texts(texts, check.alerts, check.source.account, check.destination.account)
    if check.estimate is not None and check.estimate.capped_until is not None:
        yield texts.gettext(
            "One of the hosts limits the amount of data per day; the copy will take until about %(instant)s.",
            instant=texts.moment(check.estimate.capped_until),
        )


def _does_not_fit(texts: CatalogTranslator, check: Check) -> str:
    to_copy, free_bytes = check.to_copy, check.free_bytes
    if free_bytes is not None and to_copy.size_bytes > free_bytes:
        return texts.ngettext(
            "It does not fit: up to %(num)s message (about %(size)s) is to be copied, but the new mailbox has"
            " %(free)s free.",
            "It does not fit: up to %(num)s messages (about %(size)s) are to be copied, but the new mailbox"
            " has %(free)s free.",
            to_copy.messages,
            size=texts.size(to_copy.size_bytes),
            free=texts.size(free_bytes),
        )
    return texts.ngettext(
        "It does not fit: up to %(messages)s messages (about %(size)s) are to be copied, but the new mailbox"
        " has room for %(num)s more message.",
        "It does not fit: up to %(messages)s messages (about %(size)s) are to be copied, but the new mailbox"
        " has room for %(num)s more messages.",
        check.free_messages or 0,
        messages=texts.number(to_copy.messages),
        size=texts.size(to_copy.size_bytes),
    )


def _too_large(texts: CatalogTranslator, messages: int, limit_bytes: int, *, exact: bool) -> str:
    return texts.ngettext(
        "Will be left out: %(amount)s message that is larger than the new mailbox accepts (%(limit)s).",
        "Will be left out: %(amount)s messages that are larger than the new mailbox accepts (%(limit)s).",
        messages,
        amount=_at_least(texts, messages, exact=exact),
        limit=texts.size(limit_bytes),
    )


def _beyond_limit(texts: CatalogTranslator, messages: int, limit_bytes: int, *, exact: bool) -> str:
    return texts.ngettext(
        "Will be left out: %(amount)s message that is larger than Mailhaul copies; the limit of %(limit)s is"
        " its own.",
        "Will be left out: %(amount)s messages that are larger than Mailhaul copies; the limit of %(limit)s"
        " is its own.",
        messages,
        amount=_at_least(texts, messages, exact=exact),
        limit=texts.size(limit_bytes),
    )


def _at_least(texts: CatalogTranslator, messages: int, *, exact: bool) -> str:
    number = texts.number(messages)
    return number if exact else texts.gettext("at least %(number)s", number=number)


def check_json(texts: CatalogTranslator, check: Check) -> dict[str, object]:
    """Keys are stable; new ones may be added. Sizes are bytes, durations seconds, times ISO 8601 in UTC."""
    estimate, to_copy = check.estimate, check.to_copy
    return {
        "done": check.done,
        "ready": check.ready,
        "phase": None
        if check.phase is None
        else {
            "name": check.phase[0].value,
            "done": check.phase[1],
            "total": check.phase[2],
            "sentence": check_phase_text(texts, check),
        },
        "labels": None
        if check.labels is None
        else {"rule": check.labels.value, "sentence": word_sentences(texts, "labels", check.labels)},
        "options": check.options.as_json(),
        "source": _side_json(texts, check.source),
        "destination": _side_json(texts, check.destination),
        "folders": folder_checks_json(texts, check.folders),
        "closed": [{"folder": name, "reason": reason(texts, why)} for name, why in check.closed],
        "left_out": [
            {"folder": name, "reason": reason(texts, why), "messages": messages}
            for name, why, messages in check.left_out
        ],
        "unmatched": list(check.unmatched),
        "may_be_renamed": list(check.may_be_renamed),
        "alerts": alerts_json(check.alerts, check.source.account, check.destination.account),
        "recognised": check.recognised,
        "to_copy": {"messages": to_copy.messages, "size_bytes": to_copy.size_bytes},
        "free_bytes": check.free_bytes,
        "free_messages": check.free_messages,
        "fits": check.fits,
        "estimate": None
        if estimate is None
        else {
            "low_s": round(estimate.low.total_seconds()),
            "high_s": round(estimate.high.total_seconds()),
            "basis": render(estimate.basis.text, texts),
            "basis_code": estimate.basis.value,
            "capped_until": None if estimate.capped_until is None else estimate.capped_until.isoformat(),
        },
        "warnings": list(check_warnings(texts, check)),
    }


def folder_checks_json(
    texts: CatalogTranslator, folders: Sequence[FolderCheck], limit: int | None = None
) -> list[dict[str, object]]:
    """The first `limit` folders. `source_name` and `destination_name` are for display: without the prefix of
    the server, and in the reader's language."""
    sources = ShownFolders(texts, [folder.source_folder for folder in folders])
    destinations = ShownFolders(texts, [folder.destination_folder for folder in folders])
    return [
        {
            **_folder_check_json(texts, folder),
            "source_name": sources[folder.source_folder],
            "destination_name": destinations[folder.destination_folder],
        }
        for folder in folders[:limit]
    ]


def name_reasons(texts: CatalogTranslator, folder: FolderCheck) -> str:
    """Why the destination folder has another name; "" if it has not."""
    return "; ".join(render(why, texts) for why in folder.reasons)


def _folder_check_json(texts: CatalogTranslator, folder: FolderCheck) -> dict[str, object]:
    return {
        "source_folder": folder.source_folder,
        "destination_folder": folder.destination_folder,
        "reason": name_reasons(texts, folder) or render(SAME_NAME, texts),
        "reason_codes": [why.code for why in folder.reasons],
        "messages": folder.messages,
        "size_bytes": folder.size_bytes,
        "exact": folder.exact,
        "there": folder.there,
        "known": folder.known,
        "recognised": folder.recognised,
        "older": folder.older,
        "too_large": folder.too_large,
        "beyond_limit": folder.beyond_limit,
        "elsewhere": folder.elsewhere,
    }


def _side_json(texts: CatalogTranslator, side: SideCheck) -> dict[str, object]:
    quota = side.quota
    return {
        "address": side.account.address,
        "server": str(side.account.endpoint),
        "look": side.look.value,
        "problem": problem_json(texts, side.problem),
        "folders": side.folders,
        "messages": side.messages,
        "size_bytes": side.size_bytes,
        "exact": side.exact,
        "oldest": None if side.oldest is None else side.oldest.isoformat(),
        "newest": None if side.newest is None else side.newest.isoformat(),
        "dates_exact": side.dates_exact,
        "quota": None
        if quota is None
        else {
            "used_bytes": quota.used_bytes,
            "limit_bytes": quota.limit_bytes,
            "used_messages": quota.used_messages,
            "limit_messages": quota.limit_messages,
        },
        "max_message_bytes": side.max_message_bytes,
        "round_trip_s": None if side.round_trip is None else side.round_trip.total_seconds(),
    }
