"""Names of special folders, as used by mail programs and hosts in five languages.

Only whole names match: "Sent to clients" is an ordinary folder. All Mail and Starred are never recognised by
name, because they contain no messages of their own.
"""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

from providers.endpoint import FolderRole


def role_by_name(name: str) -> FolderRole | None:
    """The role of a folder with this name (not a path), in any case and either Unicode form of accents."""
    return _ROLES.get(_folded(name))


def _folded(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())


# English, German, French, Italian and Spanish, as used by Outlook and Exchange, Thunderbird, Apple Mail,
# Gmail, Yahoo, GMX and web.de. French capitals are often written without accents. "Archivos" is omitted on
# purpose: it means "files".
_NAMES: Final = {
    FolderRole.SENT: """
        Sent, Sent Items, Sent Messages, Sent Mail, Sent-Mail, Sent Objects
        Gesendet, Gesendete, Gesendete Objekte, Gesendete Elemente, Gesendete Nachrichten
        Gesendete E-Mails, Gesendete Mails
        Envoyés, Éléments envoyés, Elements envoyés, Messages envoyés, Objets envoyés, Courrier envoyé
        Courriers envoyés, Mails envoyés
        Inviati, Inviate, Posta inviata, Elementi inviati, Messaggi inviati, Email inviate
        Enviados, Elementos enviados, Mensajes enviados, Correo enviado, Correos enviados
    """,
    FolderRole.DRAFTS: """
        Drafts, Draft, Draft Messages
        Entwürfe, Entwurf
        Brouillons, Brouillon
        Bozze, Bozza
        Borradores, Borrador
    """,
    FolderRole.TRASH: """
        Trash, Bin, Deleted, Deleted Items, Deleted Messages, Deleted Objects
        Papierkorb, Gelöscht, Gelöschte, Gelöschte Elemente, Gelöschte Objekte, Gelöschte Nachrichten
        Gelöschte E-Mails
        Corbeille, Éléments supprimés, Elements supprimés, Messages supprimés, Objets supprimés, Supprimés
        Cestino, Posta eliminata, Elementi eliminati, Messaggi eliminati, Eliminati
        Papelera, Papelera de reciclaje, Elementos eliminados, Elementos borrados, Mensajes eliminados
        Mensajes borrados, Eliminados
    """,
    FolderRole.JUNK: """
        Junk, Spam, Junk Mail, Junk E-mail, Junk Email, Bulk, Bulk Mail
        Spamverdacht, Spam-Verdacht, Unerwünscht, Unerwünschte Werbung, Unerwünschte E-Mails
        Unerwünschte Nachrichten, Junk-E-Mail, Junk-Mail
        Courrier indésirable, Courriers indésirables, Indésirables, Indésirable, Pourriel, Pourriels
        Messages indésirables
        Posta indesiderata, Indesiderata, Indesiderati
        Correo no deseado, Correo electrónico no deseado, No deseado, No deseados, Correo basura
    """,
    FolderRole.ARCHIVE: """
        Archive, Archives, Archived
        Archiv
        Archivés
        Archivio
        Archivo, Archivados
    """,
}

_ROLES: Final = {
    _folded(name): role
    for role, names in _NAMES.items()
    for line in names.strip().splitlines()
    for name in line.strip().split(", ")
}
