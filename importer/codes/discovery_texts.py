"""How the mail server of an address was found, quirks of its host, and hosts that are no mail servers."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow(
        "server_url",
        "the value is not a server name such as imap.example.org or imaps://imap.example.org:993",
    ),
    TextRow(
        "server_url.quoted",
        "“%(value)s” is not a server name such as imap.example.org or imaps://imap.example.org:993",
    ),
    TextRow("server_url.user", "a user name is not allowed here, only a server"),
    TextRow("server_url.password", "a password does not belong in a server address; give it separately"),
    TextRow("server_url.scheme", "“%(scheme)s://” is not a way to reach a mailbox; use imaps:// or imap://"),
    TextRow("server_url.port", "the port is not a number from 1 to 65535"),
    TextRow("discovery", "The mail server was looked up."),
    TextRow("discovery.domain", "%(domain)s is a domain of %(provider)s."),
    TextRow("discovery.no_domain", "The part after the @ is not an internet domain."),
    TextRow("discovery.mx_known", "MX %(exchanger)s ends in %(ending)s, which is %(provider)s."),
    TextRow("discovery.mx_unknown", "MX %(exchanger)s belongs to no provider that %(product)s knows."),
    TextRow("discovery.mx_failed", "The MX records of %(domain)s could not be looked up: %(reason)s."),
    TextRow("discovery.mx_missing", "There is no MX record for %(domain)s."),
    TextRow("discovery.file_failed", "%(url)s could not be read: %(reason)s."),
    TextRow("discovery.file_missing", "%(url)s does not exist."),
    TextRow("discovery.file_invalid", "%(url)s is not an autoconfig file."),
    TextRow(
        "discovery.file_useless",
        "%(url)s names no IMAP server with encryption and a login that %(product)s can use.",
    ),
    TextRow("discovery.file_names", "%(url)s names %(server)s."),
    TextRow("discovery.srv_failed", "The SRV record %(record)s could not be looked up: %(reason)s."),
    TextRow("discovery.srv_not_offered", "The SRV record %(record)s says that the service is not offered."),
    TextRow("discovery.srv_names", "The SRV record %(record)s names %(server)s."),
    TextRow("discovery.srv_missing", "There is no SRV record %(record)s."),
    TextRow("discovery.common_answers", "%(server)s was tried because it is a common name, and answers."),
    TextRow("discovery.common_silent", "%(one)s and %(other)s were tried; neither answers."),
    TextRow("discovery.no_network", "Nothing could be looked up: there seems to be no network connection."),
    TextRow("lookup", "the look-up failed"),
    TextRow("lookup.no_name_server", "no name server answers"),
    TextRow("lookup.unknown_name", "the name servers do not know or cannot be reached"),
    TextRow("lookup.other_host", "it redirects to another host, which is not followed"),
    TextRow("lookup.circle", "it redirects in a circle"),
    TextRow("lookup.not_https", "it is not an https address"),
    TextRow("lookup.not_public", "its host is not on the public internet"),
    TextRow("lookup.no_address", "its name could not be looked up"),
    TextRow("lookup.certificate", "its certificate does not prove its name"),
    TextRow("lookup.too_slow", "it takes too long"),
    TextRow("lookup.no_answer", "it does not answer properly"),
    TextRow("lookup.too_large", "it is larger than %(size)s"),
    TextRow("quirk", "This host deviates from others."),
    TextRow("quirk.labels", "Folders are labels: one message can be in several of them, and is in All Mail."),
    TextRow(
        "quirk.non_mail_folders",
        "Calendars, contacts, tasks and notes are listed as folders, in any language.",
    ),
    TextRow("quirk.hidden_folders", "Folders that the owner has not selected for IMAP are not shown."),
    TextRow("quirk.unopenable_folders", "Folders are listed that cannot be opened."),
    TextRow("quirk.flagged_later", "A flag sent with APPEND may be lost; a flag set afterwards is kept."),
    TextRow("quirk.few_keywords", "Keywords are not kept."),
    TextRow(
        "quirk.caseless_names",
        "Folder names that differ only in upper and lower case are the same folder.",
    ),
    TextRow("quirk.long_lines_refused", "Messages with lines of more than about 10,000 bytes are refused."),
    TextRow("quirk.final_line_end", "A message that does not end with a line end is refused."),
    TextRow("quirk.unreliable_search", "SEARCH is slow or incomplete; messages are listed by UID."),
)
