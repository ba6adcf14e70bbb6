"""From options to accounts and passwords. A password never is an argument: others can read those."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from importer.bootstrap import access_of, directory
from importer.cli.exit_codes import Usage, stderr
from importer.domain.csv_import.csv_cells import Refused, address
from importer.domain.csv_import.import_rows import Row
from importer.domain.csv_import.login_method import SignInMethod
from importer.domain.model import Account
from importer.domain.people.batch_right import BatchRight, right_of_console
from importer.settings import Settings
from providers.catalog import Catalog
from providers.endpoint import Secret, parse_server
from providers.provider import LoginKind

if TYPE_CHECKING:
    from providers.discovery import Discovery


def passwords_only(_provider: str, _mailbox: str) -> bool:
    """The `SignInMethod` of commands that need a password."""
    return False


def account(
    option: str,
    url: str,
    *,
    allow_plaintext: bool,
    find: Callable[[str], Discovery] | None = None,
    sign_in: SignInMethod = passwords_only,
) -> Account:
    """The mailbox that a server URL with a user name stands for; or a bare mail address, whose server `find`
    finds. Raises Usage, also for a host that nobody can copy from, unless `sign_in` says otherwise."""
    if find is not None and "://" not in url and url.count("@") == 1 and ":" not in url:
        return _found(option, url, find, sign_in)
    try:
        endpoint, user = parse_server(url, allow_plaintext=allow_plaintext)
    except ValueError as error:
        raise Usage(f"{option}: {error}.") from None
    if not user:
        raise Usage(f"{option}: say whose mailbox it is, such as imaps://ada@{endpoint.host}.")
    mailbox = Account(user if "@" in user else f"{user}@{endpoint.host}", user, endpoint)
    provider = Catalog.load().for_host(endpoint.host)
    if provider is not None and provider.closed_to_passwords and not signs_in(mailbox, sign_in):
        raise Usage(f"{option}: {provider.closed_to_passwords}")
    return mailbox


def signs_in(mailbox: Account, sign_in: SignInMethod) -> str:
    """Where a mailbox is opened without its password (`Provider.sign_in`), "" where it is not. Tokens go to
    that provider's own servers and to no others."""
    provider = Catalog.load().for_host(mailbox.endpoint.host)
    where = provider.sign_in if provider is not None else None
    return where if where is not None and sign_in(where, mailbox.address) else ""


def _found(option: str, text: str, find: Callable[[str], Discovery], sign_in: SignInMethod) -> Account:
    try:
        mailbox = address(text)
    except Refused as refused:
        raise Usage(f"{option}: {refused} {refused.fix}") from None
    found = find(mailbox)
    provider = found.provider
    admitted = provider is not None and provider.sign_in and sign_in(provider.sign_in, mailbox)
    if provider is not None and provider.closed_to_passwords and not admitted:
        raise Usage(f"{option}: {provider.closed_to_passwords}")
    endpoint = provider.source_endpoint if provider else None
    if provider is not None and option == "--to":
        endpoint = provider.endpoint
    if provider is None or endpoint is None:
        raise Usage(
            f"{option}: no mail server was found for {mailbox}.",
            *found.evidence,
            f"Write it too, such as imaps://{mailbox}@imap.{found.domain}.",
        )
    stderr.print(f"{escape(mailbox)}: {escape(provider.name)}, {escape(str(endpoint))}.")
    for step in () if admitted else provider.first(LoginKind.PASSWORD):
        stderr.print(f"  {escape(step.texts.en)}" + (f" {escape(step.page)}" if step.page else ""))
    return Account(mailbox, provider.login_name(mailbox), endpoint, public_only=True)


def password(side: str, owner: Account, file: Path | None, variable: str | None) -> Secret:
    """From the file (first line), the environment variable, or a prompt. Raises Usage."""
    if file is not None and variable is not None:
        raise Usage(f"--{side}-password-file and --{side}-password-env exclude each other; give one.")
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise Usage(f"--{side}-password-file: {file} cannot be read: {reason}.") from None
        return _given(f"{file}", text.split("\n", 1)[0].removesuffix("\r"))
    if variable is not None:
        return _given(f"The environment variable {variable}", os.environ.get(variable, ""))
    if not sys.stdin.isatty():
        raise Usage(f"No password for {owner.address}: give --{side}-password-file or --{side}-password-env.")
    return Secret(
        typer.prompt(f"Password for {owner.login} at {owner.endpoint.host}", hide_input=True, err=True)
    )


def password_into(
    owner: Account, file: Path | None, variable: str | None, right: BatchRight
) -> Secret | None:
    """That of a new mailbox; None where none is given and the host's master user opens it. Raises Usage."""
    if file is None and variable is None and right.covers(owner):
        stderr.print(f"{escape(owner.address)} is opened by the master user of {owner.endpoint.host}.")
        return None
    return password("to", owner, file, variable)


def way_out(
    owner: Account, file: Path | None, variable: str | None, can: SignInMethod
) -> tuple[Secret | None, str]:
    """The password of an old mailbox; or none, and where it is opened without, if none is given and `can`
    says so. Raises Usage."""
    where = signs_in(owner, can) if file is None and variable is None else ""
    return (None, where) if where else (password("from", owner, file, variable), "")


def way_in(
    owner: Account, file: Path | None, variable: str | None, can: SignInMethod, right: BatchRight
) -> tuple[Secret | None, str]:
    """The same for a new mailbox, which the host's master user may open as well."""
    where = signs_in(owner, can) if file is None and variable is None else ""
    return (None, where) if where else (password_into(owner, file, variable, right), "")


def row(
    settings: Settings,
    from_: str,
    from_file: Path | None,
    from_env: str | None,
    to: str,
    to_file: Path | None,
    to_env: str | None,
    *,
    sign_in: SignInMethod | None = None,
) -> Row:
    """What `copy`, `check` and `submit` were told, as a row of a file would say it: without a password where
    none is given and `sign_in` says so; by itself, where an organisation lets us in. Raises Usage."""

    def find(address: str) -> Discovery:
        return directory(settings).discover(address)

    plaintext = settings.allow_plaintext
    access = access_of(settings)

    def let_in(provider: str, mailbox: str) -> bool:
        return access.organisation_grant(provider, mailbox) is not None

    can = sign_in or let_in
    source = account("--from", from_, allow_plaintext=plaintext, find=find, sign_in=can)
    destination = account("--to", to, allow_plaintext=plaintext, find=find, sign_in=can)
    refuse_circle(source, destination)
    right = right_of_console(settings.master)
    secret_out, where_out = way_out(source, from_file, from_env, can)
    secret_in, where_in = way_in(destination, to_file, to_env, can, right)
    return Row(0, source, secret_out, destination, secret_in, where_out, where_in)


def refuse_circle(source: Account, destination: Account) -> None:
    """Raises Usage when both are the same mailbox."""
    if source.key == destination.key:
        raise Usage("--from and --to are the same mailbox; there is nothing to copy.")


def _given(where: str, text: str) -> Secret:
    if not text:
        raise Usage(f"{where} holds no password.")
    return Secret(text)
