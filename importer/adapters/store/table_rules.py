"""The data about people in each table: which columns, until when, and the effect of an erasure.

Every table and every column is listed here. `tests/contract/test_table_rules.py` fails for one that is not,
and for a lifetime or an erasure that is not kept.
"""

from __future__ import annotations

from typing import Final

from importer.domain.personal_data import Erasure, Lifetime
from providers.frozen import frozen


@frozen
class TableRule:
    """`readable` columns may hold an address, a name, or words of a person or of a server; `sealed` ones are
    encrypted by the vault; `impersonal` ones hold ids, numbers, times, codes, digests and servers."""

    lifetime: Lifetime
    erasure: Erasure
    readable: frozenset[str]
    sealed: frozenset[str]
    impersonal: frozenset[str]


def _rule(
    lifetime: Lifetime, erasure: Erasure, readable: str = "", *, sealed: str = "", impersonal: str = ""
) -> TableRule:
    return TableRule(
        lifetime,
        erasure,
        frozenset(readable.split()),
        frozenset(sealed.split()),
        frozenset(impersonal.split()),
    )


RULES: Final = {
    "batches": _rule(
        Lifetime.REPORT,
        Erasure.PSEUDONYM,
        "name submitter owner",
        impersonal="seq id created_at language imports is_trusted",
    ),
    "imports": _rule(
        Lifetime.REPORT,
        Erasure.PSEUDONYM,
        "source_address source_login destination_address destination_login submitter problem_message"
        " problem_text problem_server_text progress alerts options",
        impersonal="seq id submission batch_id row route source_host source_port source_security"
        " source_guarded destination_host destination_port destination_security destination_guarded"
        " created_at language state problem_code problem_side not_before attempts started_at finished_at"
        " has_labels password_mark wish held_up_since proven grants_kept_until reopened"
        " successor moved_at retry_of",
    ),
    "grants": _rule(
        Lifetime.GRANTS, Erasure.WITH_IMPORT, sealed="source destination", impersonal="import_id"
    ),
    "consents": _rule(
        Lifetime.CONSENT,
        Erasure.WITH_IMPORT,
        sealed="token question",
        impersonal="import_id side token_hash asked_at expires_at state_hash",
    ),
    "accounts": _rule(
        Lifetime.REPORT,
        Erasure.PSEUDONYM,
        "source_folder destination_folder",
        impersonal="seq import_id source_key found copied present duplicate skipped failed copied_bytes"
        " keywords_dropped confirmed source_recount elsewhere flags_updated recognised changes gone"
        " unchecked listing",
    ),
    "refusals": _rule(
        Lifetime.REFUSAL,
        Erasure.PSEUDONYM,
        "folder reason text date subject",
        impersonal="seq import_id uidvalidity uid size_bytes count partly code",
    ),
    "undos": _rule(
        Lifetime.REPORT,
        Erasure.PSEUDONYM,
        "folders folders_removed folders_kept",
        impersonal="import_id at doubtful",
    ),
    "evidence_seals": _rule(
        Lifetime.REPORT, Erasure.WITH_IMPORT, impersonal="import_id content file public_key signature"
    ),
    "created_folders": _rule(Lifetime.REPORT, Erasure.KEPT, "folder", impersonal="seq import_id folder_key"),
    "routes": _rule(Lifetime.RECEIPT, Erasure.WITH_ROUTE, impersonal="route mailbox_epoch"),
    "kept_routes": _rule(
        Lifetime.RECEIPT, Erasure.WITH_ROUTE, impersonal="route used_at destination addresses"
    ),
    "folder_maps": _rule(
        Lifetime.RECEIPT, Erasure.KEPT, "source_folder destination_folder", impersonal="route source_key"
    ),
    "marks": _rule(
        Lifetime.RECEIPT,
        Erasure.KEPT,
        "source_folder destination_folder",
        impersonal="route source_key import_id uidvalidity uidnext messages contents highest_modseq"
        " destination_uidvalidity highest_uid account destination_uidnext destination_messages",
    ),
    "receipts": _rule(
        Lifetime.RECEIPT,
        Erasure.KEPT,
        "destination_folder source_folder reason flags",
        impersonal="seq route destination_key destination_uidvalidity destination_uids import_id"
        " source_uidvalidity source_uids outcome digests size_bytes keywords_dropped marks facts undoing"
        " undone",
    ),
    "intents": _rule(
        Lifetime.RECEIPT,
        Erasure.KEPT,
        "destination_folder source_folder flags",
        impersonal="route destination_key slot destination_uidvalidity uidnext import_id source_uidvalidity"
        " source_uids digests sizes_bytes marks dates sent_at",
    ),
    "notices": _rule(
        Lifetime.MAIL,
        Erasure.PSEUDONYM,
        "key recipient subject text html message_id error",
        impersonal="seq created_at state attempts not_before",
    ),
    "calls": _rule(
        Lifetime.CALL,
        Erasure.ROW,
        "body error",
        impersonal="seq key hook event_id created_at state attempts not_before",
    ),
    "visits": _rule(
        Lifetime.SESSION,
        Erasure.ROW,
        "person client",
        sealed="sealed",
        impersonal="id created_at expires_at used_at",
    ),
    "answers": _rule(
        Lifetime.DAY,
        Erasure.ROW,
        "key",
        sealed="sealed",
        impersonal="token_id fingerprint status expires_at",
    ),
    "counts": _rule(Lifetime.DAY, Erasure.ROW, "key", impersonal="number expires_at"),
    "slots": _rule(Lifetime.DAY, Erasure.ROW, "name", impersonal="number holder expires_at"),
    "meters": _rule(Lifetime.DAY, Erasure.ROW, "name", impersonal="hour size_bytes"),
    "backoffs": _rule(Lifetime.DAY, Erasure.ROW, "name message server_text text", impersonal="until code"),
    "leases": _rule(Lifetime.LEASE, Erasure.ROW, "name", impersonal="owner fence expires_at"),
    "tokens": _rule(
        Lifetime.TOKEN,
        Erasure.PSEUDONYM,
        "name webhook_url domains",
        sealed="webhook_secret",
        impersonal="seq id digest scopes created_at expires_at revoked_at",
    ),
    "audit_events": _rule(
        Lifetime.AUDIT,
        Erasure.PSEUDONYM,
        "actor client target concerns detail",
        impersonal="seq at action outcome",
    ),
    "workers": _rule(
        Lifetime.HOUR, Erasure.NONE, impersonal="name version started_at last_report_at clock_ahead_s"
    ),
}
"""By the name of the table in the database."""
