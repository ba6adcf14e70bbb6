"""Converts options to mailboxes and passwords. A password is never an argument, because other users can read
arguments."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from rich.markup import escape

from importer.bootstrap import access_of, directory
from importer.cli.argument_texts import (
    about,
    argument_language,
    argument_texts,
    exclusive,
    not_read,
    refused_argument,
)
from importer.cli.exit_codes import Usage, stderr
from importer.cli.options import MailboxPair, PasswordSource
from importer.domain.csv_import.csv_cells import Refused, address
from importer.domain.csv_import.import_rows import Row
from importer.domain.csv_import.login_method import SignInMethod
from importer.domain.model import Account
from importer.domain.people.batch_right import BatchRight, right_of_console
from importer.i18n.code_texts import render
from importer.settings import Settings
from providers.catalog import provider_of_host
from providers.endpoint import Secret, ServerInvalid, parse_server
from providers.provider import LoginKind, Provider

if TYPE_CHECKING:
    from providers.discovery import Discovery


class SideLogin(NamedTuple):
    """The login method of a mailbox: the password, or signing in at the provider `sign_in`. A destination
    with neither is opened by its host's master user."""

    password: Secret | None
    sign_in: str = ""


def passwords_only(_provider: str, _mailbox: str) -> bool:
    """The `SignInMethod` of commands that need a password."""
    return False


def account(
    option: str,
    text: str,
    *,
    allow_plaintext: bool,
    discover: Callable[[str], Discovery] | None = None,
    sign_in: SignInMethod = passwords_only,
) -> Account:
    """The mailbox of a server URL with a user name, or of a mail address, whose server `discover` finds.

    Raises Usage, also for a host without IMAP access by password unless `sign_in` allows it.
    """
    if discover is not None and "://" not in text and text.count("@") == 1 and ":" not in text:
        return _discovered_account(option, text, discover, sign_in)
    try:
        endpoint, user = parse_server(text, allow_plaintext=allow_plaintext)
    except ServerInvalid as invalid:
        raise Usage(about(option, f"{render(invalid.text, argument_texts())}.")) from None
    if not user:
        missing = argument_texts().gettext(
            "the user name is missing; write it like %(example)s.", example=f"imaps://ada@{endpoint.host}"
        )
        raise Usage(about(option, missing))
    mailbox = Account(user if "@" in user else f"{user}@{endpoint.host}", user, endpoint)
    provider = provider_of_host(endpoint.host)
    if provider is not None and provider.passwords_unavailable and not sign_in_provider(mailbox, sign_in):
        raise Usage(_closed(option, provider))
    return mailbox


def sign_in_provider(mailbox: Account, sign_in: SignInMethod) -> str:
    """The provider (`Provider.sign_in`) that opens the mailbox without its password; "" if none does. Tokens
    are sent to that provider's own servers only."""
    host = provider_of_host(mailbox.endpoint.host)
    provider = host.sign_in if host is not None else None
    return provider if provider is not None and sign_in(provider, mailbox.address) else ""


def _discovered_account(
    option: str, text: str, discover: Callable[[str], Discovery], sign_in: SignInMethod
) -> Account:
    try:
        mailbox = address(text)
    except Refused as refused:
        raise Usage(about(option, refused_argument(refused))) from None
    discovery = discover(mailbox)
    provider = discovery.provider
    signs_in = provider is not None and provider.sign_in and sign_in(provider.sign_in, mailbox)
    if provider is not None and provider.passwords_unavailable and not signs_in:
        raise Usage(_closed(option, provider))
    endpoint = provider.source_endpoint if provider else None
    if provider is not None and option == "--to":
        endpoint = provider.endpoint
    if provider is None or endpoint is None:
        words = argument_texts()
        example = f"imaps://{mailbox}@imap.{discovery.domain}"
        not_found = words.gettext("no mail server was found for %(mailbox)s.", mailbox=mailbox)
        raise Usage(
            about(option, not_found),
            *(render(text, words) for text in discovery.evidence),
            words.gettext("Name the server as well, such as %(example)s.", example=example),
        )
    stderr.print(f"{escape(mailbox)}: {escape(provider.name)}, {escape(str(endpoint))}.")
    for step in () if signs_in else provider.steps_for(LoginKind.PASSWORD):
        stderr.print(
            f"  {escape(argument_texts().typeset(step.texts.in_language(argument_language())))}"
            + (f" {escape(step.page_in(argument_language()))}" if step.page else "")
        )
    return Account(mailbox, provider.login_name(mailbox), endpoint, public_only=True)


def _closed(option: str, provider: Provider) -> str:
    """For a mail host that passwords do not open."""
    words = argument_texts()
    return about(option, words.typeset(provider.unavailable_in(words.language)))


def read_password(prefix: str, mailbox: Account, source: PasswordSource) -> Secret:
    """From the file (first line), the environment variable, or a prompt. `prefix` is that of the options:
    `from` or `to`. Raises Usage."""
    file, variable = source
    words = argument_texts()
    file_option, variable_option = f"--{prefix}-password-file", f"--{prefix}-password-env"
    if file is not None and variable is not None:
        raise Usage(exclusive(words, file_option, variable_option))
    if file is not None:
        return _not_empty(_first_line(file_option, file), file_option, file)
    if variable is not None:
        return _not_empty(os.environ.get(variable, ""), variable_option, variable)
    if not sys.stdin.isatty():
        raise Usage(
            words.gettext(
                "No password for %(address)s: give %(one)s or %(other)s.",
                address=mailbox.address,
                one=file_option,
                other=variable_option,
            )
        )
    question = words.gettext(
        "Password for %(login)s at %(host)s", login=mailbox.login, host=mailbox.endpoint.host
    )
    return Secret(click.prompt(question, hide_input=True, err=True))


def _first_line(option: str, file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(about(option, not_read(argument_texts(), file, error))) from None
    return text.split("\n", 1)[0].removesuffix("\r")


def _not_empty(password: str, option: str, origin: Path | str) -> Secret:
    if not password:
        empty = argument_texts().gettext("%(origin)s contains no password.", origin=origin)
        raise Usage(about(option, empty))
    return Secret(password)


def destination_password(mailbox: Account, source: PasswordSource, right: BatchRight) -> Secret | None:
    """The password of a destination; None if no source is given and the host's master user opens it. Raises
    Usage."""
    if not source.given and right.covers(mailbox):
        opened = argument_texts().gettext(
            "%(mailbox)s is opened by the master user of %(host)s.",
            mailbox=mailbox.address,
            host=mailbox.endpoint.host,
        )
        stderr.print(escape(opened))
        return None
    return read_password("to", mailbox, source)


def source_login(mailbox: Account, source: PasswordSource, sign_in: SignInMethod) -> SideLogin:
    """The login of the source: signing in if no password source is given and `sign_in` allows it. Raises
    Usage."""
    provider = "" if source.given else sign_in_provider(mailbox, sign_in)
    return SideLogin(None, provider) if provider else SideLogin(read_password("from", mailbox, source))


def destination_login(
    mailbox: Account, source: PasswordSource, sign_in: SignInMethod, right: BatchRight
) -> SideLogin:
    """Like `source_login`; the host's master user may open the mailbox as well."""
    provider = "" if source.given else sign_in_provider(mailbox, sign_in)
    return SideLogin(None, provider) if provider else SideLogin(destination_password(mailbox, source, right))


def import_row(settings: Settings, mailboxes: MailboxPair, *, sign_in: SignInMethod | None = None) -> Row:
    """The options of `copy`, `check` and `submit` as the row of a file.

    A mailbox without a password is opened by signing in where `sign_in` allows it; by default, where an
    organisation grants access. Raises Usage.
    """

    def discover(address: str) -> Discovery:
        return directory(settings).discover(address)

    plaintext = settings.allow_plaintext
    access = access_of(settings)

    def by_organisation(provider: str, mailbox: str) -> bool:
        return access.organisation_grant(provider, mailbox) is not None

    sign_in = sign_in or by_organisation
    source = account(
        "--from", mailboxes.source, allow_plaintext=plaintext, discover=discover, sign_in=sign_in
    )
    destination = account(
        "--to", mailboxes.destination, allow_plaintext=plaintext, discover=discover, sign_in=sign_in
    )
    if source.key == destination.key:
        raise Usage(
            argument_texts().gettext("--from and --to are the same mailbox; there is nothing to copy.")
        )
    right = right_of_console(settings.master)
    old = source_login(source, mailboxes.source_password, sign_in)
    new = destination_login(destination, mailboxes.destination_password, sign_in, right)
    return Row(0, source, old.password, destination, new.password, old.sign_in, new.sign_in)
