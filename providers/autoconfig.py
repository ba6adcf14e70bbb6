"""Parser for Thunderbird's autoconfig format.

The format: draft-ietf-mailmaint-autoconfig-04 (2025-11), and the files of github.com/thunderbird/autoconfig
(2026-03-12), some of which put `enable` outside `emailProvider`. The files are untrusted: entities and
document types are refused, texts are truncated, and only encrypted servers are used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError  # types and error only; defusedxml does the parsing

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from providers.endpoint import Endpoint, LoginForm, Security
from providers.frozen import frozen
from providers.provider import LANGUAGES, LocalizedText, PasswordKind, Step

_HOST: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+")
_SECURITY: Final = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}
_PASSWORDS: Final = frozenset({"password-cleartext", "plain", "password-encrypted", "secure"})
_TEXT_CHARS: Final = 300


class AutoconfigUnusable(Exception):
    """The file names no IMAP server with encryption and a login that Mailhaul can use."""


class NoAutoconfigFile(AutoconfigUnusable):
    """The bytes are no autoconfig file."""


@frozen
class Config:
    """The IMAP settings of a file. `name` may be ""; `steps` are the host's own instructions."""

    name: str
    endpoint: Endpoint
    login_form: LoginForm
    password: PasswordKind
    steps: tuple[Step, ...]


def parse(data: bytes, address: str) -> Config:
    """The first server with TLS for `address`, else the first with STARTTLS. Raises AutoconfigUnusable."""
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise NoAutoconfigFile from None
    configs = [*_configs(root, address)]
    if not configs:
        raise AutoconfigUnusable
    return min(configs, key=lambda config: config.endpoint.security is not Security.TLS)


def is_host_name(text: str) -> bool:
    """Whether `text` is a lower-case host name of two or more labels, and no IP address."""
    return len(text) <= 253 and bool(_HOST.fullmatch(text)) and not re.fullmatch(r"[\d.]+", text)


def _configs(root: Element, address: str) -> Iterator[Config]:
    name = _plain(root.findtext("./emailProvider/displayName") or "")
    steps = tuple(_steps(root))
    for server in root.findall("./emailProvider/incomingServer[@type='imap']"):
        security = _SECURITY.get(_child_text(server, "socketType"))
        form = _login_form(_child_text(server, "username"), address)
        host = _fill_placeholders(_child_text(server, "hostname"), address).lower().rstrip(".")
        port = _child_text(server, "port")
        if security is None or form is None or not is_host_name(host) or not re.fullmatch(r"\d{1,5}", port):
            continue
        if not 0 < int(port) < 65_536:
            continue
        methods = {(method.text or "").strip() for method in server.findall("authentication")}
        password = PasswordKind.MAILBOX if methods & _PASSWORDS or not methods else PasswordKind.NONE
        yield Config(name, Endpoint(host, int(port), security), form, password, steps)


def _child_text(server: Element, tag: str) -> str:
    return (server.findtext(tag) or "").strip()


def _fill_placeholders(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for placeholder, value in (("ADDRESS", address), ("LOCALPART", local), ("DOMAIN", domain)):
        text = text.replace(f"%EMAIL{placeholder}%", value)
    return text


def _login_form(username: str, address: str) -> LoginForm | None:
    """The login form; None for a login that is neither the address nor its local part."""
    login = _fill_placeholders(username or "%EMAILADDRESS%", address).casefold()
    forms = {
        address.casefold(): LoginForm.ADDRESS,
        address.rpartition("@")[0].casefold(): LoginForm.LOCAL_PART,
    }
    return forms.get(login)


def _steps(root: Element) -> Iterator[Step]:
    for enable in (*root.findall("./emailProvider/enable"), *root.findall("./enable")):
        instructions: dict[str, str] = {}
        for instruction in enable.findall("instruction"):
            language = (instruction.get("lang") or "en").partition("-")[0].lower()
            instructions.setdefault(language, _plain("".join(instruction.itertext())))
        first = next((text for text in (instructions.get("en"), *instructions.values()) if text), "")
        if first:
            page = enable.get("visiturl") or ""
            texts = LocalizedText(**{code: instructions.get(code) or first for code in LANGUAGES})
            yield Step("enable", texts, page if re.fullmatch(r"https://[!-~]{1,300}", page) else "")


def _plain(text: str) -> str:
    """The text as one line without control and invisible characters, cut after 300 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return "".join(c for c in line if unicodedata.category(c) != "Cf")[:_TEXT_CHARS]
