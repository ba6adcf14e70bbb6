"""`detect`: from a mail address to its host, and what its owner has to do there first."""

from __future__ import annotations

from typing import Annotated

import typer

from importer.bootstrap import access_of, directory
from importer.cli import text_views
from importer.cli.exit_codes import Usage, ends, stdout
from importer.cli.options import CaFile, DataOption, Json
from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.csv_cells import address as checked
from importer.domain.reporting.formatting import spoken_bytes
from importer.domain.reporting.report import ExitCode
from importer.settings import Settings
from providers.discovery import Discovery
from providers.provider import LANGUAGES, MEANINGS, LoginKind, Provider


def detect(
    address: Annotated[str, typer.Argument(help="A mail address, such as ada@old.example.")],
    language: Annotated[
        str, typer.Option("--language", help=f"Language for its owner: {', '.join(LANGUAGES)}.")
    ] = "en",
    data: DataOption = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Find the mail server of an address, why it is that one, and what its owner has to do there first.

    Asks the DNS, the domain itself and Thunderbird's list of hosts; never a mailbox.

    Example: mailhaul detect ada@old.example
    """
    try:
        mailbox = checked(address)
    except Refused as refused:
        raise Usage(f"{refused} {refused.fix}") from None
    settings = Settings.load(data=data, ca_file=ca_file)
    found = directory(settings).discover(mailbox)
    way = _way(settings, found.provider, mailbox)
    if as_json:
        text_views.print_json(found.as_json(mailbox, language, login=way))
    else:
        for line in _lines(found, mailbox, language, way):
            stdout.print(line)
    usable = found.provider is not None and not found.provider.closed_in("en", way)
    raise ends(ExitCode.COMPLETE if usable else ExitCode.USAGE)


def _way(settings: Settings, provider: Provider | None, mailbox: str) -> LoginKind:
    """What this installation is set up for, where the host lets in otherwise than by password."""
    if provider is None or provider.sign_in is None:
        return LoginKind.PASSWORD
    access = access_of(settings)
    if access.organisation_grant(provider.sign_in, mailbox) is not None:
        return LoginKind.ORGANISATION
    return LoginKind.SIGN_IN if access.asks(provider.sign_in) else LoginKind.PASSWORD


def _lines(found: Discovery, mailbox: str, language: str, way: LoginKind) -> list[str]:
    provider = found.provider
    if provider is None:
        lines = [f"[yellow]{text_views.plain(found.domain)}[/]: no mail server found."]
    else:
        lines = [f"[green]{text_views.plain(provider.name)}[/]"]
        if provider.source_endpoint is not None:
            login = text_views.plain(provider.login_name(mailbox))
            lines.append(f"  server   {text_views.plain(str(provider.source_endpoint))}")
            lines.append(f"  login    {login}")
    lines += ["", "Why:", *(f"  {text_views.plain(line, 500)}" for line in found.evidence)]
    if provider is None:
        guess = f" It may be {found.guess.host}." if found.guess else ""
        return [*lines, "", text_views.plain(f"Ask whoever runs the mailbox for its IMAP server.{guess}")]
    closed = provider.closed_in(language, way)
    if closed:
        return [*lines, "", text_views.plain(closed, 1000)]
    steps = provider.first(way)
    if steps:
        lines += ["", "First:"]
        for number, step in enumerate(steps, start=1):
            page = f" ({text_views.plain(step.page)})" if step.page else ""
            lines.append(f"  {number}. {text_views.plain(step.texts.in_language(language), 500)}{page}")
    known = _good_to_know(provider)
    return [*lines, "", "Good to know:", *(f"  {line}" for line in known)] if known else lines


def _good_to_know(provider: Provider) -> list[str]:
    limits = provider.limits
    told = [
        (limits.connections, f"At most {limits.connections} connections to one mailbox at a time."),
        (
            limits.download_bytes_per_day,
            f"About {spoken_bytes(limits.download_bytes_per_day or 0)} a day come out of one mailbox.",
        ),
        (
            limits.upload_bytes_per_day,
            f"About {spoken_bytes(limits.upload_bytes_per_day or 0)} a day go into one mailbox.",
        ),
        (
            limits.message_bytes,
            f"Messages of more than {spoken_bytes(limits.message_bytes or 0)} are refused.",
        ),
        (
            limits.messages_per_folder,
            f"Its usual server shows {limits.messages_per_folder or 0:,} messages of a folder.",
        ),
        (
            limits.read_messages_per_folder,
            f"The one that mail is read at shows {limits.read_messages_per_folder or 0:,}.",
        ),
    ]
    return [text for value, text in told if value] + [MEANINGS[quirk] for quirk in sorted(provider.quirks)]
