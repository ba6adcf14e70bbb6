"""The server is unreachable, ends connections, violates the protocol, or enforces limits."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

_SERVER_AND_PORT: Final = "Check the server name and the port."

ROWS: Final = (
    # --- Breaking off ---
    TextRow(
        "connection_lost",
        sentence="The connection to %(host)s was lost.",
        cause="The connection broke, or the server stopped responding. It waits seconds at first, later minutes.",
        operator_advice="Nothing, if it continues. Otherwise check the network, and `MAILHAUL_IMAP_TIMEOUT_SECONDS` for a slow server.",
    ),
    TextRow("connection_lost.silent", sentence="%(host)s stopped responding."),
    TextRow(
        "connection_lost.undone",
        sentence=(
            "Everything else is copied, but the connection to the new mailbox ended while %(num)s message had to be stored.",
            "Everything else is copied, but the connection to the new mailbox ended while %(num)s messages had to be stored.",
        ),
    ),
    TextRow(
        "connection_lost.unread",
        sentence=(
            "Everything that could be read is copied, but the connection to the old mailbox ended each time %(num)s message had to be read.",
            "Everything that could be read is copied, but the connection to the old mailbox ended each time %(num)s messages had to be read.",
        ),
    ),
    TextRow(
        "protocol_violation",
        sentence="%(host)s sent an invalid response.",
        advice="If it happens again, show the server's response to the provider's support.",
        cause="The server sent a reply that no standard allows, or refused a command that it must support.",
        operator_advice="If it persists, report `server_text` to the server's operator and to the Mailhaul project.",
    ),
    TextRow(
        "mail_error",
        sentence="%(host)s answered in an unexpected way.",
        advice="If it happens again, show the server's response to the provider's support.",
        cause="An error of no known kind.",
        operator_advice="As for `protocol_violation`.",
    ),
    TextRow(
        "server_too_slow",
        sentence="%(host)s is responding too slowly to continue.",
        advice="If it happens again, contact the provider's support.",
        cause="The server sent a byte now and then for as long as a leg lasts; the connection was cut so that it does not block a worker.",
        operator_advice="Nothing for half an hour. Then check the network and that server.",
    ),
    # --- Not there ---
    TextRow(
        "server_unavailable",
        sentence="%(host)s is not available at the moment.",
        cause="The server does not answer or is busy, or its name could not be looked up.",
        operator_advice="Nothing for half an hour. Then: is the host up, is the port reachable from here?",
    ),
    TextRow("server_unavailable.name", sentence="The name %(host)s cannot be resolved at the moment."),
    TextRow("server_unavailable.no_answer", sentence="%(host)s does not answer on port %(port)s."),
    TextRow(
        "server_unavailable.refused",
        sentence="Nothing answers at %(host)s on port %(port)s.",
        advice="Check the server name and the port. If they are right, the server is down.",
    ),
    TextRow("server_unavailable.unreachable", sentence="%(host)s cannot be reached on port %(port)s."),
    TextRow(
        "server_unavailable.closed", sentence="%(host)s closed the connection on port %(port)s immediately."
    ),
    TextRow("server_unavailable.busy", sentence="%(host)s is busy or in maintenance."),
    TextRow(
        "server_unavailable.shows_nothing",
        sentence="%(host)s accepts the login and then refuses to show the mailbox.",
    ),
    TextRow("server_unavailable.inbox", sentence="The INBOX of the new mailbox cannot be opened. %(reason)s"),
    TextRow(
        "server_unavailable.no_more_connections",
        sentence="%(host)s accepts no more connections at the moment.",
    ),
    TextRow("server_unavailable.no_token", sentence="The response to our sign-in contains no access token."),
    TextRow("server_unavailable.sign_in", sentence="%(host)s cannot grant access at the moment."),
    TextRow("server_unavailable.sign_in_invalid", sentence="%(host)s sent an invalid response."),
    TextRow(
        "server_unavailable.sign_in_unreachable",
        sentence="%(host)s cannot be reached to renew the permission.",
    ),
    TextRow(
        "server_unavailable.sign_in_certificate",
        sentence="The certificate of %(host)s is not trusted here.",
        advice="Contact the operator of this service.",
    ),
    TextRow(
        "server_unavailable.sign_in_issuer",
        sentence="The sign-in service names another issuer than MAILHAUL_OPENID_ISSUER.",
        advice="Contact the operator of this service.",
    ),
    TextRow(
        "server_unavailable.sign_in_incomplete",
        sentence="The sign-in service does not publish all of its addresses (%(name)s).",
        advice="Contact the operator of this service.",
    ),
    # --- Limits ---
    TextRow(
        "throttled",
        sentence="%(host)s has asked us to slow down.",
        retry_now=False,
        cause="The server asks for a pause, often for hours, or accepts no more connections. A limit that the server applies to this machine's address holds for all mailboxes there.",
        operator_advice="Nothing. It continues when the server allows it, or tries again with growing waits. Too many connections again and again: `MAILHAUL_HOST_CONNECTIONS`, `MAILHAUL_LANES`.",
    ),
    TextRow(
        "throttled.daily_cap",
        sentence="%(host)s has reached its daily transfer limit.",
        advice="Such a limit usually ends within 24 hours. Nothing that was copied is lost.",
    ),
    TextRow("throttled.connections", sentence="%(host)s accepts no more connections at the moment."),
    TextRow(
        "throttled.connections_from_here",
        sentence="%(host)s accepts no more connections from here at the moment.",
    ),
    TextRow("throttled.logins", sentence="%(host)s accepts no logins at the moment."),
    TextRow(
        "daily_limit",
        sentence="%(host)s has reached its daily transfer limit.",
        counts_as_failure=False,
        retry_now=False,
        cause="As many bytes as the host allows in 24 hours were moved. The message says about when everything will be copied.",
        operator_advice="Nothing. `MAILHAUL_DAILY_LIMITS` if the host allows more; moving more than that locks the mailbox for a day.",
    ),
    TextRow(
        "daily_limit.reached",
        sentence="%(product)s moves at most %(limit)s out of one mailbox at %(host)s in 24 hours, because the host locks mailboxes that exceed its own limit. That much has been moved.",
        sentence_at_destination="%(product)s moves at most %(limit)s into one mailbox at %(host)s in 24 hours, because the host locks mailboxes that exceed its own limit. That much has been moved.",
    ),
    TextRow(
        "daily_limit.reached.with_end",
        sentence="%(product)s moves at most %(limit)s out of one mailbox at %(host)s in 24 hours, because the host locks mailboxes that exceed its own limit. That much has been moved. At this pace the import will be complete about %(end)s.",
        sentence_at_destination="%(product)s moves at most %(limit)s into one mailbox at %(host)s in 24 hours, because the host locks mailboxes that exceed its own limit. That much has been moved. At this pace the import will be complete about %(end)s.",
    ),
    TextRow(
        "connections_in_use",
        sentence="%(host)s allows only a limited number of connections, so imports take turns.",
        counts_as_failure=False,
        retry_now=False,
        cause="All workers together have as many connections to that mailbox or host as they may. Imports take turns.",
        operator_advice="Nothing. If the host allows more: `MAILHAUL_HOST_CONNECTIONS`, `MAILHAUL_ACCOUNT_CONNECTIONS`.",
    ),
    TextRow(
        "connections_in_use.all",
        sentence="All connections that the host allows are in use; imports take turns.",
    ),
    TextRow(
        "beyond_limit",
        sentence="%(host)s sends more than %(product)s accepts.",
        advice="Delete or merge folders or messages in that mailbox, or contact the provider's support.",
        cause="The server sends more than Mailhaul accepts from one server; the sentence names the limit. The limits are in `importer/domain/planning/server_limits.py`. A real mailbox comes nowhere near them.",
        operator_advice="Look at the mailbox with a mail program. If the server is right, report it to the Mailhaul project.",
        as_refusal="The message is larger than Mailhaul copies (256 MiB).",
    ),
    TextRow(
        "beyond_limit.answer",
        sentence="%(host)s sends more in one answer than %(product)s accepts (the limit is %(limit)s).",
    ),
    TextRow(
        "beyond_limit.answer_lines",
        sentence="%(host)s sends more lines in one answer than %(product)s accepts (the limit is %(limit)s).",
    ),
    TextRow(
        "beyond_limit.login_lines",
        sentence="%(host)s sends more lines before a login than %(product)s accepts (the limit is %(limit)s).",
    ),
    TextRow(
        "beyond_limit.name",
        sentence="%(host)s sends a longer name than %(product)s accepts (the limit is %(limit)s).",
    ),
    TextRow(
        "beyond_limit.folders",
        sentence="%(host)s lists more folders than %(product)s accepts (the limit is %(limit)s).",
    ),
    # --- Not the right server ---
    TextRow(
        "endpoint_wrong",
        sentence="The mail server %(host)s cannot be used with these settings. Please check them.",
        cause="The server cannot be used as configured; one of the codes below is more specific.",
        operator_advice="Correct the server and submit again.",
    ),
    TextRow(
        "host_unknown",
        sentence="There is no server called %(host)s.",
        advice="Check the address or the server name.",
        cause="The name of the server does not resolve.",
        operator_advice="Correct the server and submit again; `mailhaul detect` finds the server of an address.",
    ),
    TextRow("host_unknown.not_a_name", sentence="“%(host)s” is not the name of a server."),
    TextRow(
        "host_forbidden",
        sentence="%(host)s is not a mail server on the public internet.",
        advice="Check the address or the server name. A server inside a private network can be reached only if the operator of this service allows it.",
        cause="A server that a user named is not on the public internet, or its port is not one for mail.",
        operator_advice="If it is right, add its network to `MAILHAUL_ALLOWED_NETWORKS` and submit again.",
    ),
    TextRow(
        "certificate_refused",
        sentence="The certificate of %(host)s could not be verified.",
        advice="Check the server name. If it is right, the provider has to fix the certificate. To trust a private certificate authority, the operator of this service sets MAILHAUL_CA_FILE.",
        cause="The certificate does not prove the host.",
        operator_advice="Check the name. For a private authority set `MAILHAUL_CA_FILE`. Otherwise the server's operator has to fix it.",
    ),
    TextRow(
        "certificate_refused.other_name",
        sentence="The certificate of %(host)s is for another name.",
        advice="Check the server name: it must be one that the certificate contains. The provider's instructions for mail programs have it.",
    ),
    TextRow(
        "certificate_refused.expired",
        sentence="The certificate of %(host)s has expired.",
        advice="The provider has to renew it; then try again.",
    ),
    TextRow(
        "certificate_refused.not_trusted",
        sentence="The certificate of %(host)s was not issued by a certificate authority that is trusted here.",
        advice="Check the server name. To trust a private certificate authority, the operator of this service sets MAILHAUL_CA_FILE.",
    ),
    TextRow(
        "certificate_refused.verify",
        sentence="The certificate of %(host)s does not prove that the server is %(host)s (%(error)s).",
    ),
    TextRow(
        "not_an_imap_server",
        sentence="%(host)s does not respond like a mail server.",
        advice=_SERVER_AND_PORT,
        cause="Another service answers on that port, or the server expects another kind of encryption.",
        operator_advice="Use `imaps://` with 993 or `imap://` with 143, and submit again.",
    ),
    TextRow(
        "not_an_imap_server.tls",
        sentence="%(host)s does not speak TLS on port %(port)s in a way that %(product)s can use.",
        advice="Check the port, and whether the server requires STARTTLS (imap://) instead of TLS (imaps://).",
    ),
    TextRow(
        "not_an_imap_server.silent",
        sentence="%(host)s accepts connections on port %(port)s but sends no IMAP greeting.",
        advice="Check the port; if it is a TLS port, use imaps://.",
    ),
    TextRow(
        "not_an_imap_server.greeting",
        sentence="The server at %(host)s on port %(port)s is not an IMAP server.",
    ),
    TextRow(
        "not_an_imap_server.no_password",
        sentence="%(host)s grants access without a password, so it is unknown whose mailbox it shows.",
    ),
    TextRow(
        "encryption_unavailable",
        sentence="%(host)s does not offer encryption on this port.",
        advice="Use imaps:// with port 993 instead.",
        cause="The server offers no STARTTLS.",
        operator_advice="Use `imaps://`. Only if there is no other way, and the network is yours: `MAILHAUL_ALLOW_PLAINTEXT`.",
    ),
    TextRow(
        "encryption_unavailable.port",
        sentence="%(host)s offers no encryption on port %(port)s, and without it the password could be intercepted.",
    ),
    TextRow(
        "encryption_unavailable.refused",
        sentence="%(host)s offers encryption on port %(port)s but refuses to start it, and without it the password could be intercepted.",
    ),
    TextRow(
        "encryption_unavailable.early_bytes",
        sentence="The connection to %(host)s may have been tampered with: data arrived before encryption began.",
    ),
)
