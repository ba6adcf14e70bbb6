"""The types of settings. Each function converts text, or returns a valid value; it raises ValueError for
anything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from providers.endpoint import Secret
from providers.master_user import domain_name, plain_domain
from providers.text import Text

PREFIX: Final = "MAILHAUL_"

Kind = Callable[[Any], Any]
IpNetwork = IPv4Network | IPv6Network


class SettingsError(Exception):
    """Invalid settings. `problems` describes each, with its fix."""

    def __init__(self, *problems: Text) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class DailyLimit(NamedTuple):
    """Bytes in 24 hours that are downloaded from one mailbox and uploaded into one; None means no limit."""

    down_bytes: int | None
    up_bytes: int | None


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  # invalid settings always raise ValueError
    return value


def flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = text(value).strip().lower()
    if word not in _YES | _NO:
        raise ValueError
    return word in _YES


_YES: Final = frozenset({"true", "yes", "on", "1", "t", "y"})
_NO: Final = frozenset({"false", "no", "off", "0", "f", "n"})


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number from `least` to `most`, both included."""

    def read(value: object) -> int:
        number = value if isinstance(value, int) else _number(text(value))
        if number < least or (most is not None and number > most):
            raise ValueError
        return number

    return read


def _number(digits: str) -> int:
    if not re.fullmatch(r"\s*[+-]?\d{1,20}\s*", digits, re.ASCII):
        raise ValueError
    return int(digits)


def one_of(*words: str) -> Kind:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read


def one_of_in_any_case(*words: str) -> Kind:
    exact = one_of(*words)
    return lambda value: exact(text(value).strip().lower())


def time_zone(value: object) -> tzinfo:
    """A time zone by its name in the database of the system (IANA)."""
    if isinstance(value, tzinfo):
        return value
    name = text(value).strip()
    if name == "UTC":  # needs no database
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(name) from error


def file(value: object) -> Path:
    """An absolute path of a file or a directory; `~` is expanded."""
    return Path(value if isinstance(value, Path) else text(value)).expanduser().absolute()


def secret(value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(text(value))


def networks(value: object) -> tuple[IpNetwork, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(ip_network(part.strip()) for part in text(value).split(",") if part.strip())


def origins(value: object) -> tuple[str, ...]:
    """Origins of web pages, `scheme://host[:port]`, https only except on this machine, in lower case."""
    if isinstance(value, tuple):
        return value
    return tuple(_origin(part.strip().rstrip("/").lower()) for part in text(value).split(",") if part.strip())


def _origin(value: str) -> str:
    match = re.fullmatch(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?", value)
    if match is None or (match[1] == "http" and match[2] not in ("localhost", "127.0.0.1", "[::1]")):
        raise ValueError
    return value


def daily_limits(value: object) -> Mapping[str, DailyLimit]:
    if isinstance(value, Mapping):
        return value
    limits: dict[str, DailyLimit] = {}
    for entry in filter(str.strip, text(value).split(",")):
        match = re.fullmatch(r"\s*([\w.-]+)=(\d+)/(\d+)\s*", entry)
        if match is None:
            raise ValueError
        limits[match[1]] = DailyLimit(int(match[2]) or None, int(match[3]) or None)
    return MappingProxyType(limits)


def host_numbers(value: object) -> Mapping[str, int]:
    if isinstance(value, Mapping):
        return value
    read = whole(1, 10_000)
    numbers: dict[str, int] = {}
    for entry in filter(str.strip, text(value).split(",")):
        match = re.fullmatch(r"\s*([\w.:-]+)=(\d+)\s*", entry)
        if match is None:
            raise ValueError
        numbers[match[1].casefold().rstrip(".")] = read(match[2])
    return MappingProxyType(numbers)


def domains(value: object) -> frozenset[str]:
    if isinstance(value, frozenset):
        return value
    names = [name.strip().strip("@.").casefold() for name in text(value).split(",") if name.strip()]
    if not all(re.fullmatch(r"[^\s@/:]+\.[^\s@/:]+", name) for name in names):
        raise ValueError
    return frozenset(names)


def addresses(value: object) -> frozenset[str]:
    """Mail addresses in lower case."""
    if isinstance(value, frozenset):
        return value
    found = [address.strip().lower() for address in text(value).split(",") if address.strip()]
    if any(plain_domain(address) is None for address in found):
        raise ValueError
    return frozenset(found)


def administrators(value: object) -> Mapping[str, frozenset[str]]:
    if isinstance(value, Mapping):
        return value
    rights: dict[str, frozenset[str]] = {}
    for entry in filter(str.strip, text(value).split(";")):
        person, _, listed = entry.partition(":")
        of_person = {domain_name(name.strip()) for name in listed.split(",") if name.strip()}
        if plain_domain(person.strip()) is None or None in of_person or not of_person:
            raise ValueError
        name = person.strip().lower()
        rights[name] = rights.get(name, frozenset()) | {domain for domain in of_person if domain is not None}
    return MappingProxyType(rights)
