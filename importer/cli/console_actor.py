"""The operator at the console as an actor, who may open every mailbox that the installation can open."""

from __future__ import annotations

from importer.domain.people.actor import Actor
from importer.domain.people.batch_right import right_of_console
from importer.settings import Settings


def console_actor(settings: Settings, *, notify: str | None = None, language: str | None = None) -> Actor:
    """The operator; without `notify` and `language`, those of the settings apply."""
    return Actor(
        right=right_of_console(settings.master),
        organisation=True,
        notify=notify or settings.submitter,
        language=language or settings.language,
    )
