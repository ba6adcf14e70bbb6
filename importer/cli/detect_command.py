"""`detect`: finds the host of a mail address and what its owner has to do first."""

from __future__ import annotations

from pathlib import Path

import click

from importer.bootstrap import access_of, directory
from importer.cli import options, text_views
from importer.cli.argument_texts import refused_argument
from importer.cli.exit_codes import Usage, exit_with, stdout
from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.csv_cells import address as parse_address
from importer.domain.reporting.formatting import spoken_bytes
from importer.domain.reporting.report import ExitCode
from importer.settings import Settings
from providers.discovery import Discovery
from providers.provider import LANGUAGES, MEANINGS, LoginKind, Provider


@click.command
@click.argument("address", help="Mail address, such as ada@old.example.")
@click.option(
    "--language",
    metavar="LANGUAGE",
    help=f"Language of the steps for the owner: {', '.join(LANGUAGES)}; MAILHAUL_LANGUAGE if left out.",
)
@options.data
@options.ca_file
@options.as_json
def detect(
    address: str, language: str | None, data: Path | None, ca_file: Path | None, as_json: bool
) -> None:
    """Find the mail server of an address.

    Shows the evidence, the login and what the owner has to do first. Queries DNS, the domain itself and
    Thunderbird's list of providers, never a mailbox.

    \b
    Example:
      mailhaul detect ada@old.example
    """
    try:
        mailbox = parse_address(address)
    except Refused as refused:
        raise Usage(refused_argument(refused)) from None
    settings = Settings.load(data=data, ca_file=ca_file)
    language = language or settings.language
    discovery = directory(settings).discover(mailbox)
    login = _login_kind(settings, discovery.provider, mailbox)
    if as_json:
        text_views.print_json(discovery.as_json(mailbox, language, login=login))
    else:
        for line in _lines(discovery, mailbox, language, login):
            stdout.print(line)
    usable = discovery.provider is not None and not discovery.provider.login_unavailable_in("en", login)
    raise exit_with(ExitCode.COMPLETE if usable else ExitCode.USAGE)


def _login_kind(settings: Settings, provider: Provider | None, mailbox: str) -> LoginKind:
    """PASSWORD unless the provider and this installation support another kind."""
    if provider is None or provider.sign_in is None:
        return LoginKind.PASSWORD
    access = access_of(settings)
    if access.organisation_grant(provider.sign_in, mailbox) is not None:
        return LoginKind.ORGANISATION
    return LoginKind.SIGN_IN if access.can_sign_in(provider.sign_in) else LoginKind.PASSWORD


def _lines(discovery: Discovery, mailbox: str, language: str, login: LoginKind) -> list[str]:
    provider = discovery.provider
    lines = [*_server_lines(discovery, mailbox), "", "Why:"]
    lines += [f"  {text_views.plain(line, 500)}" for line in discovery.evidence]
    if provider is None:
        guess = f" It may be {discovery.guess.host}." if discovery.guess else ""
        request = f"Ask the operator of the mailbox for its IMAP server.{guess}"
        return [*lines, "", text_views.plain(request)]
    closed = provider.login_unavailable_in(language, login)
    if closed:
        return [*lines, "", text_views.plain(closed, 1000)]
    steps = provider.steps_for(login)
    if steps:
        lines += ["", "First:"]
        for number, step in enumerate(steps, start=1):
            page = f" ({text_views.plain(step.page_in(language))})" if step.page else ""
            lines.append(f"  {number}. {text_views.plain(step.texts.in_language(language), 500)}{page}")
    facts = _facts(provider)
    return [*lines, "", "Good to know:", *(f"  {line}" for line in facts)] if facts else lines


def _server_lines(discovery: Discovery, mailbox: str) -> list[str]:
    provider = discovery.provider
    if provider is None:
        return [f"[yellow]{text_views.plain(discovery.domain)}[/]: no mail server found."]
    lines = [f"[green]{text_views.plain(provider.name)}[/]"]
    if provider.source_endpoint is not None:
        lines.append(f"  server   {text_views.plain(str(provider.source_endpoint))}")
        lines.append(f"  login    {text_views.plain(provider.login_name(mailbox))}")
    return lines


def _facts(provider: Provider) -> list[str]:
    """The limits and peculiarities of a provider, one sentence each."""
    limits = provider.limits
    download, upload = limits.download_bytes_per_day or 0, limits.upload_bytes_per_day or 0
    facts = [
        (limits.connections, f"At most {limits.connections} connections to one mailbox at a time."),
        (download, f"About {spoken_bytes(download)} a day can be downloaded from one mailbox."),
        (upload, f"About {spoken_bytes(upload)} a day can be uploaded to one mailbox."),
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
            f"The server used to read mail shows {limits.read_messages_per_folder or 0:,}.",
        ),
    ]
    return [text for value, text in facts if value] + [MEANINGS[quirk] for quirk in sorted(provider.quirks)]
