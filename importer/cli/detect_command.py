"""`detect`: finds the host of a mail address and the steps that its owner has to take first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from importer.bootstrap import access_of, directory
from importer.cli import options, text_views
from importer.cli.argument_texts import refused_argument
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, exit_with, stdout
from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.csv_cells import address as parse_address
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render
from importer.i18n.discovery_texts import discovery_json, quirk_text
from importer.i18n.translations import CatalogTranslator, texts
from importer.settings import Settings
from providers.discovery import Discovery
from providers.provider import LANGUAGES, LoginKind, Provider, ProviderLimits


@click.command
@click.argument("address", help="Mail address, such as ada@old.example.")
@click.option(
    "--language",
    metavar="LANGUAGE",
    help="Language of the steps for the owner, else MAILHAUL_LANGUAGE, else that of the shell."
    f" [{', '.join(LANGUAGES)}]",
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
    words = texts(language, settings.time_zone) if language else console_texts(settings)
    discovery = directory(settings).discover(mailbox)
    login = _login_kind(settings, discovery.provider, mailbox)
    if as_json:
        text_views.print_json(discovery_json(words, discovery, mailbox, login=login))
    else:
        for line in _lines(words, discovery, mailbox, login):
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


def _lines(words: CatalogTranslator, discovery: Discovery, mailbox: str, login: LoginKind) -> list[str]:
    provider, language = discovery.provider, words.language
    lines = [*_server_lines(words, discovery, mailbox), "", words.gettext("Why:")]
    lines += [f"  {text_views.plain(render(text, words), 500)}" for text in discovery.evidence]
    if provider is None:
        request = words.gettext("Ask the operator of the mailbox for its IMAP server.")
        if discovery.guess:
            guess = words.gettext("It may be %(host)s.", host=discovery.guess.host)
            request = f"{request} {guess}"
        return [*lines, "", text_views.plain(request)]
    closed = words.typeset(provider.login_unavailable_in(language, login))
    if closed:
        return [*lines, "", text_views.plain(closed, 1000)]
    steps = provider.steps_for(login)
    if steps:
        lines += ["", words.gettext("First:")]
        for number, step in enumerate(steps, start=1):
            page = f" ({text_views.plain(step.page_in(language))})" if step.page else ""
            lines.append(
                f"  {number}. {text_views.plain(words.typeset(step.texts.in_language(language)), 500)}{page}"
            )
    facts = [*_limits(words, provider.limits), *(quirk_text(words, q) for q in sorted(provider.quirks))]
    if facts:
        lines += ["", words.gettext("Good to know:"), *(f"  {line}" for line in facts)]
    return lines


def _server_lines(words: CatalogTranslator, discovery: Discovery, mailbox: str) -> list[str]:
    provider = discovery.provider
    if provider is None:
        unknown = words.gettext("no mail server found.")
        return [f"[yellow]{text_views.plain(discovery.domain)}[/]{words.colon} {unknown}"]
    lines = [f"[green]{text_views.plain(provider.name)}[/]"]
    if provider.source_endpoint is not None:
        heads = words.gettext("server"), words.gettext("login")
        width = max(map(len, heads))
        values = str(provider.source_endpoint), provider.login_name(mailbox)
        lines += [
            f"  {head:<{width}}   {text_views.plain(value)}"
            for head, value in zip(heads, values, strict=True)
        ]
    return lines


def _limits(words: CatalogTranslator, limits: ProviderLimits) -> Iterator[str]:
    """The known limits of a provider, one sentence each."""
    if limits.connections:
        yield words.gettext(
            "At most %(number)s connections to one mailbox at a time.",
            number=words.number(limits.connections),
        )
    if limits.download_bytes_per_day:
        yield words.gettext(
            "About %(size)s a day can be downloaded from one mailbox.",
            size=words.size(limits.download_bytes_per_day),
        )
    if limits.upload_bytes_per_day:
        yield words.gettext(
            "About %(size)s a day can be uploaded to one mailbox.",
            size=words.size(limits.upload_bytes_per_day),
        )
    if limits.message_bytes:
        yield words.gettext(
            "Messages of more than %(size)s are refused.", size=words.size(limits.message_bytes)
        )
    if limits.messages_per_folder:
        yield words.gettext(
            "Its usual server shows %(number)s messages of a folder.",
            number=words.number(limits.messages_per_folder),
        )
    if limits.read_messages_per_folder:
        yield words.gettext(
            "The server used to read mail shows %(number)s.",
            number=words.number(limits.read_messages_per_folder),
        )
