"""An import waits or stopped for a reason of Mailhaul's own."""

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
