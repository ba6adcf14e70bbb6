"""What a mail domain says of itself in Thunderbird's autoconfig format.

The format: draft-ietf-mailmaint-autoconfig-04 (2025-11), and the files of github.com/thunderbird/autoconfig
(2026-03-12), some of which put `enable` outside `emailProvider`. The file is from strangers: entities and
document types are refused, texts are cut, and only encrypted servers count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError  # for types and the error; defusedxml parses

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from providers.endpoint import Endpoint, LoginForm, Security
from providers.provider import LANGUAGES, LocalizedText, PasswordKind, Step

_HOST: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+")
_SECURITY: Final = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}
_PASSWORDS: Final = frozenset({"password-cleartext", "plain", "password-encrypted", "secure"})
_TEXT_CHARS: Final = 300


class AutoconfigUnusable(Exception):
    """The file names no server that we may use; the text ends a sentence that starts with the address."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says about IMAP. `name` may be ""; `steps` are the instructions of the host itself."""

    name: str
    endpoint: Endpoint
    login_form: LoginForm
    password: PasswordKind
    steps: tuple[Step, ...]


def parse(data: bytes, address: str) -> Config:
    """The first server with TLS for `address`, else the first with STARTTLS. Raises Unusable."""
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise AutoconfigUnusable("is not an autoconfig file") from None
    found = [*_servers(root, address)]
    if not found:
        raise AutoconfigUnusable(
            "names no IMAP server that can be reached encrypted with the login that Mailhaul has"
        )
    return min(found, key=lambda one: one.endpoint.security is not Security.TLS)


def is_host_name(text: str) -> bool:
    """Small letters, digits and hyphens in two labels or more, and no bare address."""
    return len(text) <= 253 and bool(_HOST.fullmatch(text)) and not re.fullmatch(r"[\d.]+", text)


def _servers(root: Element, address: str) -> Iterator[Config]:
    name = _plain(root.findtext("./emailProvider/displayName") or "")
    steps = tuple(_steps(root))
    for server in root.findall("./emailProvider/incomingServer[@type='imap']"):
        security = _SECURITY.get(_word(server, "socketType"))
        form = _form(_word(server, "username"), address)
        host = _filled(_word(server, "hostname"), address).lower().rstrip(".")
        port = _word(server, "port")
        if security is None or form is None or not is_host_name(host) or not re.fullmatch(r"\d{1,5}", port):
            continue
        if not 0 < int(port) < 65_536:
            continue
        ways = {(way.text or "").strip() for way in server.findall("authentication")}
        password = PasswordKind.MAILBOX if ways & _PASSWORDS or not ways else PasswordKind.NONE
        yield Config(name, Endpoint(host, int(port), security), form, password, steps)


def _word(server: Element, tag: str) -> str:
    return (server.findtext(tag) or "").strip()


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for placeholder, value in (("ADDRESS", address), ("LOCALPART", local), ("DOMAIN", domain)):
        text = text.replace(f"%EMAIL{placeholder}%", value)
    return text


def _form(username: str, address: str) -> LoginForm | None:
    """None for a login that is neither the address nor the part before its @."""
    given = _filled(username or "%EMAILADDRESS%", address).casefold()
    forms = {
        address.casefold(): LoginForm.ADDRESS,
        address.rpartition("@")[0].casefold(): LoginForm.LOCAL_PART,
    }
    return forms.get(given)


def _steps(root: Element) -> Iterator[Step]:
    for enable in (*root.findall("./emailProvider/enable"), *root.findall("./enable")):
        said: dict[str, str] = {}
        for instruction in enable.findall("instruction"):
            language = (instruction.get("lang") or "en").partition("-")[0].lower()
            said.setdefault(language, _plain("".join(instruction.itertext())))
        first = next((text for text in (said.get("en"), *said.values()) if text), "")
        if first:
            page = enable.get("visiturl") or ""
            texts = LocalizedText(**{code: said.get(code) or first for code in LANGUAGES})
            yield Step("enable", texts, page if re.fullmatch(r"https://[!-~]{1,300}", page) else "")


def _plain(text: str) -> str:
    """One line without control or invisible characters, cut after 300."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return "".join(c for c in line if unicodedata.category(c) != "Cf")[:_TEXT_CHARS]
