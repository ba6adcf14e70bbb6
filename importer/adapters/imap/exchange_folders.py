"""Exchange lists its calendars, contacts and the like as folders, in the language of the mailbox.

Nothing in LIST tells them from folders with mail (jstedfast/MailKit#1282, kellylford/QuickMail#613), so they
are told by name: by the names of the one language that fits best, and only where the mailbox has the calendar
and the contacts of that language. "Notes" in a German mailbox is a folder that somebody made, and holds mail.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

WHY: Final = "calendars, contacts, notes and the like are no mail"

# Calendar and contacts first; then tasks, notes, journal, outbox, feeds, chats, sync problems. The outbox
# holds what was never sent. imapsync#276 has the French ones; the others are as Outlook shows them.
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
    """Those of an Exchange mailbox's folders that hold no mail, with all that lies inside them."""
    listed = set(names)
    possible = [known for known in _LANGUAGES if listed.issuperset(known[:2])]
    spoken = max(possible, key=lambda known: len(listed.intersection(known)), default=())
    return frozenset(name for name in names if name.partition(delimiter)[0] in spoken)
