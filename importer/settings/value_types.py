"""What settings are, as text and as values. Each kind takes either; what cannot be read raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from providers.endpoint import Secret
from providers.master_user import domain_name, plain_domain

PREFIX: Final = "MAILHAUL_"

Kind = Callable[[Any], Any]
IpNetwork = IPv4Network | IPv6Network


class SettingsError(Exception):
    """Settings that cannot be used; `problems` holds one sentence for each, and so does `str`, by lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DailyLimit(NamedTuple):
    """Bytes in 24 hours, out of one mailbox and into one; None is no limit."""

    down_bytes: int | None
    up_bytes: int | None


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  # what every setting raises that cannot be read
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
    """A whole number between the two, both included."""

    def read(value: object) -> int:
        number = value if isinstance(value, int) else _number(text(value))
        if number < least or (most is not None and number > most):
            raise ValueError
        return number

    return read


def _number(written: str) -> int:
    if not re.fullmatch(r"\s*[+-]?\d{1,20}\s*", written, re.ASCII):
        raise ValueError
    return int(written)


def one_of(*words: str) -> Kind:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read


def one_of_in_any_case(*words: str) -> Kind:
    exact = one_of(*words)
    return lambda value: exact(text(value).strip().lower())


def file(value: object) -> Path:
    """A file or a directory; `~` is its user's home."""
    return Path(value if isinstance(value, Path) else text(value)).expanduser().absolute()


def secret(value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(text(value))


def networks(value: object) -> tuple[IpNetwork, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(ip_network(part.strip()) for part in text(value).split(",") if part.strip())


def daily_limits(value: object) -> Mapping[str, DailyLimit]:
    if isinstance(value, Mapping):
        return value
    limits: dict[str, DailyLimit] = {}
    for entry in filter(str.strip, text(value).split(",")):
        found = re.fullmatch(r"\s*([\w.-]+)=(\d+)/(\d+)\s*", entry)
        if found is None:
            raise ValueError
        limits[found[1]] = DailyLimit(int(found[2]) or None, int(found[3]) or None)
    return MappingProxyType(limits)


def domains(value: object) -> frozenset[str]:
    if isinstance(value, frozenset):
        return value
    names = [name.strip().strip("@.").casefold() for name in text(value).split(",") if name.strip()]
    if not all(re.fullmatch(r"[^\s@/:]+\.[^\s@/:]+", name) for name in names):
        raise ValueError
    return frozenset(names)


def administrators(value: object) -> Mapping[str, frozenset[str]]:
    if isinstance(value, Mapping):
        return value
    found: dict[str, frozenset[str]] = {}
    for entry in filter(str.strip, text(value).split(";")):
        person, _, listed = entry.partition(":")
        of_person = {domain_name(name.strip()) for name in listed.split(",") if name.strip()}
        if plain_domain(person.strip()) is None or None in of_person or not of_person:
            raise ValueError
        name = person.strip().lower()
        found[name] = found.get(name, frozenset()) | {one for one in of_person if one is not None}
    return MappingProxyType(found)
