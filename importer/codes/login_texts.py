"""The host or its owner does not let Mailhaul into the mailbox."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow(
        "login_rejected",
        sentence="%(host)s does not accept this password. Check it; many providers require an app password.",
        exit_code=3,
        cause="The host refused the login. The message says which side, and what that host requires.",
        operator_advice="Correct the password, create an app password, or enable IMAP at the host; submit again. The same CSV file with the new password starts only those rows.",
    ),
    TextRow(
        "master_refused",
        sentence="%(host)s does not give access to this mailbox without its password. Check the address, or enter the password.",
        exit_code=3,
        cause="The host refused the master user for the new mailbox: the mailbox does not exist, or the settings are wrong or were removed. The message says which.",
        operator_advice="Does the mailbox exist? Check `MAILHAUL_DESTINATION_MASTER_USER`, its password, and `MAILHAUL_DESTINATION_MASTER_SEPARATOR` if the host expects logins of both names; then submit again.",
    ),
    TextRow(
        "grant_expired",
        sentence="The permission to read this mailbox has expired. Please sign in again.",
        sentence_at_destination="The permission to add mail to this mailbox has expired. Please sign in again.",
        exit_code=3,
        cause="The owner's permission was withdrawn or has expired: at some hosts a new password ends it too.",
        operator_advice="Have the owner sign in again, then submit again: it continues where it stopped. An organisation's permission is renewed by its administrator.",
    ),
    TextRow(
        "consent_needed",
        sentence="The owner of the old mailbox must first sign in at %(host)s.",
        sentence_at_destination="The owner of the new mailbox must first sign in at %(host)s.",
        counts_as_failure=False,
        retry_now=False,
        cause="The owner of the old or the new mailbox has to sign in at the provider. A link was mailed there; `mailhaul show` has it too.",
        operator_advice="Nothing, or pass the link on yourself. Reminders are mailed after two and five days.",
    ),
    TextRow(
        "consent_expired",
        sentence="The owner of the old mailbox did not sign in in time. Start the import again to get a new link.",
        sentence_at_destination="The owner of the new mailbox did not sign in in time. Start the import again to get a new link.",
        exit_code=3,
        cause="The owner did not sign in within `MAILHAUL_CONSENT_DAYS`.",
        operator_advice="Submit the row again: its owner gets a new link.",
    ),
    TextRow(
        "passwords_missing",
        sentence="The passwords are no longer stored. Start the import again.",
        cause="The stored passwords do not open: another key, or another environment at submission.",
        operator_advice="`mailhaul doctor` checks the key. Submit again with both passwords.",
    ),
)
