"""The server cannot be reached, breaks off, or limits what it serves."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow(
        "connection_lost",
        sentence="The connection to %(host)s was lost.",
        cause="The connection broke, or the server stopped responding. It waits seconds at first, later minutes.",
        operator_advice="Nothing, if it continues. Otherwise check the network, and `MAILHAUL_IMAP_TIMEOUT_SECONDS` for a slow server.",
    ),
    TextRow(
        "protocol_violation",
        sentence="%(host)s sent an invalid response.",
        cause="The server sent a reply that no standard allows, or refused a command that it must support.",
        operator_advice="If it persists, report `server_text` to the server's operator and to the Mailhaul project.",
    ),
    TextRow(
        "server_unavailable",
        sentence="%(host)s is not available at the moment.",
        cause="The server does not answer or is busy, or its name could not be looked up.",
        operator_advice="Nothing for half an hour. Then: is the host up, is the port reachable from here?",
    ),
    TextRow(
        "server_too_slow",
        sentence="%(host)s is responding too slowly to continue.",
        cause="The server sent a byte now and then for as long as a leg lasts; the connection was cut so that it does not block a worker.",
        operator_advice="Nothing for half an hour. Then check the network and that server.",
    ),
    TextRow(
        "throttled",
        sentence="%(host)s has asked us to slow down.",
        retry_now=False,
        cause="The server asks for a pause, often for hours, or accepts no more connections. A limit that the server applies to this machine's address holds for all mailboxes there.",
        operator_advice="Nothing. It continues when the server allows it, or tries again with growing waits. Too many connections again and again: `MAILHAUL_HOST_CONNECTIONS`, `MAILHAUL_LANES`.",
    ),
    TextRow(
        "daily_limit",
        sentence="%(host)s has reached its daily transfer limit.",
        counts_as_failure=False,
        retry_now=False,
        cause="As many bytes as the host allows in 24 hours were moved. The message says about when everything will be copied.",
        operator_advice="Nothing. `MAILHAUL_DAILY_LIMITS` if the host allows more; moving more than that locks the mailbox for a day.",
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
        "beyond_limit",
        cause="The server sends more than Mailhaul accepts from one server; the sentence names the limit. The limits are in `importer/domain/planning/server_limits.py`. A real mailbox comes nowhere near them.",
        operator_advice="Look at the mailbox with a mail program. If the server is right, report it to the Mailhaul project.",
    ),
    TextRow(
        "endpoint_wrong",
        sentence="The mail server %(host)s cannot be used with these settings. Please check them.",
        cause="The server cannot be used as configured; one of the four above is more specific.",
        operator_advice="Correct the server and submit again.",
    ),
    TextRow(
        "host_unknown",
        sentence="There is no server called %(host)s. Check the address or the server name.",
        cause="The name of the server does not resolve.",
        operator_advice="Correct the server and submit again; `mailhaul detect` finds the server of an address.",
    ),
    TextRow(
        "host_forbidden",
        sentence="%(host)s is not a mail server on the public internet. Check the address or the server name.",
        cause="A server that a user named is not on the public internet, or its port is not one for mail.",
        operator_advice="If it is right, add its network to `MAILHAUL_ALLOWED_NETWORKS` and submit again.",
    ),
    TextRow(
        "certificate_refused",
        sentence="The certificate of %(host)s could not be verified.",
        cause="The certificate does not prove the host.",
        operator_advice="Check the name. For a private authority set `MAILHAUL_CA_FILE`. Otherwise the server's operator has to fix it.",
    ),
    TextRow(
        "not_an_imap_server",
        sentence="%(host)s does not respond like a mail server. Check the server name and the port.",
        cause="Another service answers on that port, or the server expects another kind of encryption.",
        operator_advice="Use `imaps://` with 993 or `imap://` with 143, and submit again.",
    ),
    TextRow(
        "encryption_unavailable",
        sentence="%(host)s does not offer encryption on this port. Try SSL/TLS on port 993.",
        cause="The server offers no STARTTLS.",
        operator_advice="Use `imaps://`. Only if there is no other way, and the network is yours: `MAILHAUL_ALLOW_PLAINTEXT`.",
    ),
    TextRow(
        "mail_error",
        sentence="%(host)s answered in an unexpected way.",
        cause="An error of no known kind.",
        operator_advice="As for `protocol_violation`.",
    ),
)
