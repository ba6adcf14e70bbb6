"""The names of folders in the reader's language. The result is foreign text: pass it through `printable`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from importer.domain.folder_mapping.shown_names import ShownName, shown_name, shown_names
from importer.i18n.translations import N_, CatalogTranslator
from providers.endpoint import FolderRole

_ROLES: Final = {
    FolderRole.ALL: N_("All Mail"),
    FolderRole.ARCHIVE: N_("Archive"),
    FolderRole.DRAFTS: N_("Drafts"),
    FolderRole.FLAGGED: N_("Starred"),
    FolderRole.JUNK: N_("Spam"),
    FolderRole.SENT: N_("Sent"),
    FolderRole.TRASH: N_("Trash"),
}


def folder_name(texts: CatalogTranslator, name: str) -> str:
    """One folder by itself."""
    return _spoken(texts, shown_name(name))


class ShownPairs:
    """The source and the destination folders of an import."""

    def __init__(self, texts: CatalogTranslator, pairs: Iterable[tuple[str, str]]) -> None:
        known = list(pairs)
        self.sources = ShownFolders(texts, (source for source, _ in known))
        self.destinations = ShownFolders(texts, (destination for _, destination in known))

    def pair(self, source: str, destination: str) -> str:
        """Both names in one line; a single one if they are equal."""
        one, other = self.sources[source], self.destinations[destination]
        return one if one == other else f"{one} → {other}"


class ShownFolders:
    """The displayed folders of one mailbox, by their full names."""

    def __init__(self, texts: CatalogTranslator, names: Iterable[str]) -> None:
        self._texts = texts
        self._shown = shown_names(names)

    def __getitem__(self, name: str) -> str:
        return _spoken(self._texts, self._shown.get(name) or shown_name(name))


def _spoken(texts: CatalogTranslator, shown: ShownName) -> str:
    return texts.gettext(_ROLES[shown.role]) if shown.role in _ROLES else shown.name
