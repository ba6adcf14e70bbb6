"""The columns of an import file, and the names that a file may give them in five languages.

These names belong to the file format: a template of any version can be handed in. A name counts without its
case, accents, blanks, hyphens and other signs: “Source Address” is `source_address`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from importer.domain.import_options import OPTIONS

SOURCE_ADDRESS: Final = "source_address"
SOURCE_PASSWORD: Final = "source_password"  # noqa: S105 - a name
SOURCE_SERVER: Final = "source_server"
DESTINATION_ADDRESS: Final = "destination_address"
DESTINATION_PASSWORD: Final = "destination_password"  # noqa: S105 - a name
DESTINATION_SERVER: Final = "destination_server"
PROBLEM_COLUMN: Final = "problem"  # added to annotated files, so it may be in a submitted file; ignored

USUAL_COLUMNS: Final = (
    SOURCE_ADDRESS,
    SOURCE_PASSWORD,
    SOURCE_SERVER,
    DESTINATION_ADDRESS,
    DESTINATION_PASSWORD,
)
"""The columns of the template, in its order."""

HEADER: Final = ",".join(USUAL_COLUMNS)

OPTIONAL_COLUMNS: Final = (DESTINATION_SERVER, *OPTIONS)
KNOWN_COLUMNS: Final = (*USUAL_COLUMNS, *OPTIONAL_COLUMNS, PROBLEM_COLUMN)
ADDRESS_COLUMNS: Final = (SOURCE_ADDRESS, DESTINATION_ADDRESS)
"""Columns that every file needs. The others may be missing if their cells may be empty."""

PASSWORD_COLUMNS: Final = frozenset({SOURCE_PASSWORD, DESTINATION_PASSWORD})
SERVER_COLUMNS: Final = frozenset({SOURCE_SERVER, DESTINATION_SERVER})

_NAMES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    SOURCE_ADDRESS: {
        "en": ("Old address", "Old mail address", "Old email address", "Old email", "Old mailbox", "Source"),
        "de": (
            "Alte Adresse",
            "Alte Mailadresse",
            "Alte E-Mail-Adresse",
            "Alte E-Mail",
            "Altes Postfach",
            "Quelladresse",
        ),
        "fr": (
            "Ancienne adresse",
            "Ancienne adresse e-mail",
            "Ancien e-mail",
            "Ancienne boîte",
            "Adresse source",
        ),
        "it": (
            "Vecchio indirizzo",
            "Vecchio indirizzo e-mail",
            "Vecchia e-mail",
            "Vecchia casella",
            "Indirizzo di origine",
        ),
        "es": (
            "Dirección antigua",
            "Antigua dirección",
            "Correo antiguo",
            "Buzón antiguo",
            "Dirección de origen",
        ),
    },
    SOURCE_PASSWORD: {
        "en": ("Old password", "Password"),
        "de": ("Altes Passwort", "Passwort", "Altes Kennwort", "Kennwort", "Quellpasswort"),
        "fr": ("Ancien mot de passe", "Mot de passe", "Mot de passe source"),
        "it": ("Vecchia password", "Password di origine"),
        "es": ("Contraseña antigua", "Antigua contraseña", "Contraseña", "Contraseña de origen"),
    },
    SOURCE_SERVER: {
        "en": ("Old server", "Old mail server", "Server"),
        "de": ("Alter Server", "Alter Mailserver", "Quellserver"),
        "fr": ("Ancien serveur", "Ancien serveur de messagerie", "Serveur source", "Serveur"),
        "it": ("Vecchio server", "Vecchio server di posta", "Server di origine"),
        "es": ("Servidor antiguo", "Antiguo servidor", "Servidor de origen", "Servidor"),
    },
    DESTINATION_ADDRESS: {
        "en": ("New address", "New mail address", "New email address", "New email", "New mailbox", "Target"),
        "de": (
            "Neue Adresse",
            "Neue Mailadresse",
            "Neue E-Mail-Adresse",
            "Neue E-Mail",
            "Neues Postfach",
            "Zieladresse",
        ),
        "fr": (
            "Nouvelle adresse",
            "Nouvelle adresse e-mail",
            "Nouvel e-mail",
            "Nouvelle boîte",
            "Adresse de destination",
        ),
        "it": (
            "Nuovo indirizzo",
            "Nuovo indirizzo e-mail",
            "Nuova e-mail",
            "Nuova casella",
            "Indirizzo di destinazione",
        ),
        "es": ("Dirección nueva", "Nueva dirección", "Correo nuevo", "Buzón nuevo", "Dirección de destino"),
    },
    DESTINATION_PASSWORD: {
        "en": ("New password",),
        "de": ("Neues Passwort", "Neues Kennwort", "Zielpasswort"),
        "fr": ("Nouveau mot de passe", "Mot de passe de destination"),
        "it": ("Nuova password", "Password di destinazione"),
        "es": ("Contraseña nueva", "Nueva contraseña", "Contraseña de destino"),
    },
    DESTINATION_SERVER: {
        "en": ("New server", "New mail server"),
        "de": ("Neuer Server", "Neuer Mailserver", "Zielserver"),
        "fr": ("Nouveau serveur", "Nouveau serveur de messagerie", "Serveur de destination"),
        "it": ("Nuovo server", "Nuovo server di posta", "Server di destinazione"),
        "es": ("Servidor nuevo", "Nuevo servidor", "Servidor de destino"),
    },
    PROBLEM_COLUMN: {
        "en": ("Problem",),
        "de": ("Problem",),
        "fr": ("Problème",),
        "it": ("Problema",),
        "es": ("Problema",),
    },
    **{name: option.column_names for name, option in OPTIONS.items()},
}
"""Column -> language -> its names; the first is that of templates. A column without an entry has its own name
only."""

_COMMAS: Final = frozenset({"en"})
_MISREAD_MARK: Final = "ï»¿"  # the byte order mark of UTF-8, read as Windows-1252 and saved again


def name_in(language: str, column: str) -> str:
    """The name of the column in a template of that language. English templates have the names of the API."""
    names = _NAMES.get(column, {}).get(language)
    return names[0] if names and language != "en" else column


def separator(language: str) -> str:
    """The delimiter of cells in a spreadsheet of that language: Excel uses the list separator of the system's
    region, a semicolon where the decimal sign is a comma."""
    return "," if language in _COMMAS else ";"


def header_line(language: str) -> str:
    """The first line of a template."""
    return separator(language).join(name_in(language, column) for column in USUAL_COLUMNS)


def column_of(name: str) -> str:
    """The column with this name in a file; "" if it is unknown."""
    return _BY_KEY.get(_key(name), "")


def likely_column(name: str) -> str:
    """The column with nearly this name; "" if there is none."""
    matches = get_close_matches(_key(name), _BY_KEY, 1, 0.85) if len(name) <= 100 else []
    return _BY_KEY[matches[0]] if matches else ""


def _key(name: str) -> str:
    """The part of a name that is compared: its letters and digits, without case and accents."""
    decomposed = unicodedata.normalize("NFKD", name.removeprefix(_MISREAD_MARK).casefold())
    return "".join(char for char in decomposed if char.isalnum())


_BY_KEY: Final[Mapping[str, str]] = {
    _key(name): column
    for column in KNOWN_COLUMNS
    for name in (column, *(name for names in _NAMES.get(column, {}).values() for name in names))
}
