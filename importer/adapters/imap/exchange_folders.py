"""Recognises the folders of an Exchange mailbox that hold no mail: calendar, contacts and the like.

Exchange lists them in the language of the mailbox, and LIST does not distinguish them from mail folders
(jstedfast/MailKit#1282, kellylford/QuickMail#613). They are recognised by name: by the names of the language
that fits best, and only if the mailbox has the calendar and the contacts of that language. "Notes" in a
German mailbox is a folder that its owner created, and holds mail.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from providers.text import Text

NO_MAIL: Final = Text("folder_left_out.no_mail")

# Calendar and contacts first; then tasks, notes, journal, outbox, feeds, chats, sync problems. The outbox
# holds unsent messages. Sources: imapsync#276 for French, Outlook's display names for the other languages.
_LANGUAGES: Final = (
    (
        *("Calendar", "Contacts", "Tasks", "Notes", "Journal", "Outbox", "RSS Feeds", "RSS Subscriptions"),
        *("Conversation History", "Sync Issues", "Suggested Contacts"),
    ),
    (
        *("Kalender", "Kontakte", "Aufgaben", "Notizen", "Journal", "Postausgang", "RSS-Feeds"),
        *("RSS-Abonnements", "Verlauf der Unterhaltung", "Aufgezeichnete Unterhaltungen"),
        *("Synchronisierungsprobleme", "Vorgeschlagene Kontakte"),
    ),
    (
        *("Calendrier", "Contacts", "Tâches", "Notes", "Journal", "Boîte d'envoi", "Boîte d’envoi"),
        *("Flux RSS", "Historique des conversations", "Problèmes de synchronisation", "Contacts suggérés"),
    ),
    (
        *("Calendario", "Contatti", "Attività", "Note", "Diario", "Posta in uscita", "Feed RSS"),
        *("Cronologia conversazioni", "Problemi di sincronizzazione", "Contatti suggeriti"),
    ),
    (
        *("Calendario", "Contactos", "Tareas", "Notas", "Diario", "Bandeja de salida", "Fuentes RSS"),
        *("Historial de conversaciones", "Problemas de sincronización", "Contactos sugeridos"),
    ),
    (
        *("Agenda", "Contactpersonen", "Taken", "Notities", "Logboek", "Postvak UIT", "RSS-feeds"),
        *("Gespreksgeschiedenis", "Synchronisatieproblemen", "Voorgestelde contactpersonen"),
    ),
    (
        *("Calendário", "Contatos", "Tarefas", "Anotações", "Diário", "Caixa de Saída", "Feeds RSS"),
        *("Histórico de Conversa", "Problemas de Sincronização", "Contatos Sugeridos"),
    ),
)


def without_mail(names: Collection[str], delimiter: str = "/") -> frozenset[str]:
    """Return those of an Exchange mailbox's folders that hold no mail, and the folders inside them."""
    listed = set(names)
    candidates = [language for language in _LANGUAGES if listed.issuperset(language[:2])]
    best = max(candidates, key=lambda language: len(listed.intersection(language)), default=())
    return frozenset(name for name in names if name.partition(delimiter)[0] in best)
