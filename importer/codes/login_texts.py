"""The host, or the owner of the mailbox, denies Mailhaul access."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow, WayOn

_LOGIN: Final = 3  # the exit code
_TRY_AGAIN: Final = "Please try again."
_NOT_SET_UP: Final = "%(product)s is not set up for signing in with %(provider)s."
_SET_UP: Final = "The operator of this service has to set that up, or the owner has to use a password."

ROWS: Final = (
    TextRow(
        "login_rejected",
        sentence="%(host)s does not accept this password.",
        advice="Check it; many providers require an app password.",
        way_on=WayOn.PASSWORD,
        exit_code=_LOGIN,
        cause="The host refused the login. The message says which side, and what that host requires.",
        operator_advice="Correct the password, create an app password, or enable IMAP at the host; submit again. The same CSV file with the new password starts only those rows.",
    ),
    # --- What a host says to a password ---
    TextRow(
        "login_rejected.wrong_password",
        sentence="%(host)s did not accept the user name or the password.",
        advice="Check both; many providers require an app password.",
    ),
    TextRow(
        "login_rejected.expired",
        sentence="The password for %(host)s has expired.",
        advice="Set a new one there and try again.",
    ),
    TextRow(
        "login_rejected.not_allowed",
        sentence="%(host)s accepts the password but does not let this user in.",
        advice="Contact the provider's support.",
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.other_server",
        sentence="%(host)s says that this mailbox is on another server.",
        advice="Enter the server that it names, or ask the provider for its name.",
    ),
    TextRow(
        "login_rejected.app_password",
        sentence="%(host)s requires an app password instead of the usual one.",
        advice="Create one in the security settings of the account and use it here.",
    ),
    TextRow(
        "login_rejected.browser",
        sentence="%(host)s blocks this login until its owner confirms it.",
        advice="Log in there once in a web browser, confirm that it was you, and try again.",
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.imap_off",
        sentence="IMAP is switched off for this account at %(host)s.",
        advice="Switch it on in the settings there and try again.",
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.imap_forbidden",
        sentence="IMAP is switched off for the whole organisation at %(host)s.",
        advice="Only its administrator can switch it on.",
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.no_passwords",
        sentence="%(host)s accepts no password over this kind of connection.",
        advice="Use imaps:// if that is not in use yet; otherwise the owner has to use another login method.",
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.no_mailbox",
        sentence="%(host)s accepts the login, but has no mailbox for it, or IMAP is switched off for the mailbox.",
        advice="Check that the address is that of the mailbox itself, and whether IMAP is on. If it worked before, wait some minutes and try again: Exchange says the same after many connections.",
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.maybe_off",
        sentence="%(host)s did not accept the login: the user name or the password is wrong, or IMAP is switched off for this account.",
        advice="Check all three and try again.",
    ),
    TextRow(
        "login_rejected.too_many_tries",
        sentence="%(host)s has refused too many logins to this account and blocks it for a while.",
        advice="Check the user name and the password, and try again later.",
    ),
    TextRow(
        "login_rejected.no_longer",
        sentence="%(host)s no longer accepts the login.",
        advice="Check the account there and try again.",
    ),
    TextRow(
        "login_rejected.unsendable",
        sentence="The user name or the password for %(host)s contains a line break or another character that is not allowed there.",
        advice="Enter both again.",
    ),
    # --- What a host says to an access token ---
    TextRow(
        "login_rejected.no_token_logins",
        sentence="%(host)s accepts passwords only, and no password is set.",
        advice="Enter a password.",
    ),
    TextRow(
        "login_rejected.token",
        sentence="%(host)s rejects the access that it granted.",
        advice="The owner has to sign in there again.",
        way_on=WayOn.SIGN_IN,
    ),
    TextRow(
        "login_rejected.token_without_imap",
        sentence="IMAP is switched off for this account at %(host)s, or the access is for another mailbox.",
        advice="Check both there.",
        way_on=WayOn.SIGN_IN,
    ),
    TextRow(
        "login_rejected.opens_nothing",
        sentence="%(host)s accepts the sign-in but opens no mailbox for it: it belongs to another mailbox, IMAP is switched off for this one, or the application was given no access to it.",
        advice="Correct that at the host, then start again. If it worked before, too many connections may be the reason: wait some minutes.",
        way_on=WayOn.SIGN_IN,
    ),
    TextRow(
        "login_rejected.other_login",
        sentence="%(address)s is to be opened as %(login)s, but consent was given for the address itself.",
        advice="Name the mailbox by its own address, without another login.",
        way_on=WayOn.CONTINUE,
    ),
    # --- Signing in with a provider ---
    TextRow(
        "login_rejected.not_set_up",
        sentence=_NOT_SET_UP,
        advice=_SET_UP,
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.openid_not_set_up",
        sentence="Sign-in with OpenID Connect is not set up.",
        advice="Contact the operator of this service.",
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "login_rejected.other_sign_in",
        sentence="This response belongs to another sign-in.",
        advice=_TRY_AGAIN,
    ),
    TextRow(
        "login_rejected.other_issuer", sentence="This response comes from another issuer.", advice=_TRY_AGAIN
    ),
    TextRow(
        "login_rejected.unverified",
        sentence="The identity of the signed-in account could not be verified.",
        advice=_TRY_AGAIN,
    ),
    TextRow(
        "login_rejected.wrong_response",
        sentence="The response of the sign-in service does not belong to this sign-in.",
        advice="Please sign in again.",
    ),
    TextRow(
        "login_rejected.denied",
        sentence="%(provider)s denies access.",
        advice="Try again, or contact the operator of this service.",
        way_on=WayOn.SIGN_IN,
    ),
    TextRow(
        "login_rejected.short_permission",
        sentence="%(provider)s granted a permission that ends within the hour.",
        advice="Remove %(product)s from the connected applications of this account at %(provider)s, then try again.",
        way_on=WayOn.SIGN_IN,
    ),
    TextRow(
        "login_rejected.other_account",
        sentence="You signed in to %(provider)s as %(signed_in)s, but the mailbox is %(mailbox)s.",
        advice="Try again and sign in as %(mailbox)s.",
        way_on=WayOn.SIGN_IN,
    ),
    TextRow(
        "login_rejected.unknown_account",
        sentence="You signed in to %(provider)s with another account, but the mailbox is %(mailbox)s.",
        advice="Try again and sign in as %(mailbox)s.",
        way_on=WayOn.SIGN_IN,
    ),
    TextRow(
        "login_rejected.no_mail_permission",
        sentence="The permission to read mail was not granted.",
        advice="Try again and select it when %(provider)s asks.",
        way_on=WayOn.SIGN_IN,
    ),
    # --- The master user ---
    TextRow(
        "master_refused",
        sentence="%(host)s does not give access to this mailbox without its password.",
        advice="Check the address, or enter the password.",
        way_on=WayOn.PASSWORD,
        exit_code=_LOGIN,
        cause="The host refused the master user for the new mailbox: the mailbox does not exist, or the settings are wrong or were removed. The message says which.",
        operator_advice="Does the mailbox exist? Check `MAILHAUL_DESTINATION_MASTER_USER`, its password, and `MAILHAUL_DESTINATION_MASTER_SEPARATOR` if the host expects logins of both names; then submit again.",
    ),
    TextRow(
        "master_refused.not_opened",
        sentence="%(host)s does not open this mailbox for the master user: there is no such mailbox, or the master user's settings are wrong.",
        advice="Check the address, or enter the password. The operator of this service has to check MAILHAUL_DESTINATION_MASTER_USER and its password.",
    ),
    TextRow(
        "master_refused.no_plain",
        sentence="%(host)s does not offer AUTHENTICATE PLAIN, with which a master user selects a mailbox.",
        advice="The operator of this service has to set MAILHAUL_DESTINATION_MASTER_SEPARATOR.",
    ),
    TextRow(
        "master_refused.gone",
        sentence="%(product)s no longer has a master user at the new host.",
        advice="Submit the import again with the password of the new mailbox.",
    ),
    TextRow(
        "master_refused.other_server",
        sentence="%(host)s is not the host that %(product)s has a master user for.",
        advice="Submit the import again with the password of the new mailbox.",
    ),
    TextRow(
        "master_refused.other_domain",
        sentence="%(address)s is not in the domain that was allowed.",
        advice="Submit the import again with the password of the new mailbox.",
    ),
    TextRow(
        "master_refused.other_login",
        sentence="%(address)s is to be opened as %(login)s, but a master user opens mailboxes by their address.",
        advice="Submit the import again with the password of the new mailbox.",
    ),
    # --- Steps, which take the place of an advice ---
    TextRow(
        "sign_in_again",
        sentence="Have the owner sign in again; if that does not help, contact the operator of this service.",
    ),
    # --- Consent ---
    TextRow(
        "grant_expired",
        sentence="The permission to read this mailbox has expired.",
        sentence_at_destination="The permission to add mail to this mailbox has expired.",
        advice="Please sign in again.",
        way_on=WayOn.SIGN_IN,
        exit_code=_LOGIN,
        cause="The owner's permission was withdrawn or has expired: at some hosts a new password ends it too.",
        operator_advice="Have the owner sign in again, then submit again: it continues where it stopped. An organisation's permission is renewed by its administrator.",
    ),
    TextRow(
        "grant_expired.withdrawn",
        sentence="The permission at %(provider)s was withdrawn or has expired.",
        advice="Please sign in there again.",
    ),
    TextRow(
        "grant_expired.not_set_up",
        sentence=_NOT_SET_UP,
        advice=_SET_UP,
        way_on=WayOn.CONTINUE,
    ),
    TextRow(
        "grant_expired.needs_owner",
        sentence="This mailbox can only be opened after its owner signs in.",
        advice="Submit it with `batch`.",
    ),
    TextRow(
        "consent_needed",
        sentence="The owner of the old mailbox must first sign in at %(host)s.",
        sentence_at_destination="The owner of the new mailbox must first sign in at %(host)s.",
        way_on=WayOn.SIGN_IN,
        counts_as_failure=False,
        retry_now=False,
        cause="The owner of the old or the new mailbox has to sign in at the provider. A link was mailed there; `mailhaul show` has it too.",
        operator_advice="Nothing, or pass the link on yourself. Reminders are mailed after two and five days.",
    ),
    TextRow(
        "consent_needed.link",
        sentence="The owner of %(mailbox)s has to sign in with %(provider)s once, using the link created for this import.",
        advice="The link is valid until %(until)s; after that this import ends.",
    ),
    TextRow(
        "consent_needed.link.both",
        advice="The link is valid until %(until)s; after that this import ends. The owner of the other mailbox has to sign in too.",
    ),
    TextRow(
        "consent_needed.password",
        sentence="The owner of %(mailbox)s has to enter its password once, using the link created for this import.",
        advice="The link is valid until %(until)s; after that this import ends.",
    ),
    TextRow(
        "consent_expired",
        sentence="The owner of the old mailbox did not sign in in time.",
        sentence_at_destination="The owner of the new mailbox did not sign in in time.",
        advice="Start the import again to get a new link.",
        way_on=WayOn.SIGN_IN,
        exit_code=_LOGIN,
        cause="The owner did not sign in within `MAILHAUL_CONSENT_DAYS`.",
        operator_advice="Submit the row again: its owner gets a new link.",
    ),
    TextRow(
        "consent_expired.link",
        sentence="There was no sign-in with %(provider)s for %(mailbox)s before the link expired on %(until)s.",
    ),
    TextRow(
        "consent_expired.password",
        sentence="The password of %(mailbox)s was not entered before the link expired on %(until)s.",
    ),
    TextRow(
        "passwords_missing",
        sentence="The passwords are no longer stored.",
        advice="Start the import again with both passwords: it resumes where it stopped.",
        way_on=WayOn.PASSWORD,
        cause="The stored passwords are not those of this import, or of another version.",
        operator_advice="Submit again with both passwords.",
    ),
    TextRow(
        "passwords_missing.key",
        sentence="The stored passwords of this import cannot be decrypted with the current key.",
    ),
)
