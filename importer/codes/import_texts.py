"""Reasons of Mailhaul's own why an import waits or stopped."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow, WayOn

ROWS: Final = (
    TextRow(
        "destination_busy",
        sentence="Another import is writing to this mailbox. This one is waiting for its turn.",
        counts_as_failure=False,
        cause="Another import writes into the same mailbox. They take turns, leg by leg.",
        operator_advice="Nothing. If nothing is running: a worker died, and its lease expires within `MAILHAUL_LEASE_SECONDS`.",
    ),
    TextRow(
        "awaiting_cutover",
        sentence="All mail is copied. New mail follows until the mail of %(domain)s goes to %(mx)s; now it goes to %(seen)s.",
        advice="The last pass begins on %(until)s at the latest. Until then its passwords stay stored, sealed; cancelling it erases them.",
        counts_as_failure=False,
        cause="The first copy is complete. Passes over new mail follow every `MAILHAUL_PASS_HOURS`, until all MX records of the old address's domain lead to the new host, or a date; the last one `MAILHAUL_LAST_PASS_HOURS` after the move was seen.",
        operator_advice="Nothing. `mailhaul schedule ID` changes its end, `retry` makes the next pass now.",
    ),
    TextRow("awaiting_cutover.not_moved"),
    TextRow(
        "awaiting_cutover.partly",
        sentence="All mail is copied. Only a part of the mail of %(domain)s goes to %(mx)s yet (its mail exchangers: %(seen)s); new mail follows until all of it does.",
    ),
    TextRow(
        "awaiting_cutover.filtered",
        sentence="All mail is copied. The mail of %(domain)s goes through a filter service (%(seen)s), which hides where it ends: only a date can end this. New mail follows until then.",
    ),
    TextRow(
        "awaiting_cutover.no_mail",
        sentence="All mail is copied. %(domain)s accepts no mail at present (null MX). New mail follows until its mail goes to %(mx)s.",
    ),
    TextRow(
        "awaiting_cutover.no_records",
        sentence="All mail is copied. %(domain)s has no mail exchanger (MX) at present. New mail follows until its mail goes to %(mx)s.",
    ),
    TextRow(
        "awaiting_cutover.unknown",
        sentence="All mail is copied. Where the mail of %(domain)s goes could not be looked up this time. New mail follows until it goes to %(mx)s.",
    ),
    TextRow(
        "awaiting_cutover.unnamed",
        sentence="All mail is copied. The mail exchangers of the new host are not known, so only a date can end this. New mail follows until then.",
    ),
    TextRow(
        "awaiting_cutover.moved",
        sentence="All mail is copied, and the mail of %(domain)s goes to %(mx)s now. One last pass fetches what senders still sent to the old mailbox.",
        advice="A last mail is sent after it. Until then its passwords stay stored, sealed; cancelling it erases them.",
    ),
    TextRow(
        "awaiting_cutover.date",
        sentence="All mail is copied. New mail follows.",
    ),
    TextRow(
        "pause_forgotten",
        sentence="The import was paused for two weeks, so its passwords were deleted.",
        advice="Start it again with both passwords to continue.",
        way_on=WayOn.PASSWORD,
        cause="It was paused for two weeks. The import ended as cancelled, so that its passwords are not kept indefinitely.",
        operator_advice="Submit it again; it continues where it was paused.",
    ),
    TextRow(
        "disk_full",
        sentence="Our server has run out of disk space. Nothing is lost: the import continues as soon as there is space again.",
        counts_as_failure=False,
        cause="The disk under the data directory, or under the database, is full. It tries again each minute; nothing is lost.",
        operator_advice="Make room. `mailhaul doctor` shows the free space.",
    ),
    TextRow(
        "database_unavailable",
        sentence="Our database did not respond. Nothing is lost: the import continues as soon as it does.",
        counts_as_failure=False,
        cause="The connection to the database was lost or refused. It tries again within seconds; nothing is lost.",
        operator_advice="`mailhaul doctor` says why; see `database.lost` in the log.",
    ),
    TextRow(
        "key_missing",
        sentence="Our server cannot open the stored passwords at the moment. Nothing is lost: the import continues as soon as it can.",
        counts_as_failure=False,
        cause="No configured key opens the stored passwords: a key was removed or is another one in this process. It tries again each minute.",
        operator_advice="`mailhaul doctor` checks the keys, `mailhaul keys show` counts what each opens. Configure the former key as a further one. If it is lost, cancel the import and have it submitted again.",
    ),
    TextRow(
        "interrupted",
        sentence="The import was interrupted. Nothing is lost: start it again and it continues from there.",
        cause="A `mailhaul copy` was interrupted or killed.",
        operator_advice="Run it again.",
    ),
    TextRow(
        "internal",
        sentence="Something went wrong on our side. Nothing is lost: start it again.",
        advice="If it fails again, give the import's id to the operator of this service.",
        cause="An internal error. It waits a minute and tries again (exit code 5), and fails after four in a row (exit code 6); earlier errors of servers do not count.",
        operator_advice="Find `leg.failed` with the import's id: the traceback is for a bug report.",
    ),
    # --- Steps, which take the place of an advice ---
    TextRow(
        "run_copy_again",
        sentence="`copy` does not wait that long: run it again later to resume.",
    ),
)
