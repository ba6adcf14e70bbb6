"""The options of an import, which its submitter chooses.

`ImportOptions` is the table. Each field is one row, from which all front ends are made: the CSV column, the
console option, the API field, the form field and the setting have the name of the field, and texts come from
its `Option`. Options are stored as one JSON object. To add an option, add a row, and honour it in the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from importer.domain.csv_import.csv_cells import Refused, yes_or_no
from importer.domain.folder_mapping.folder_patterns import FolderPatterns, read_patterns
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.messages.since import Since, read_since
from importer.domain.planning.cutover_options import (
    FollowUntil,
    MxNames,
    read_follow_until,
    read_mx_names,
)
from providers.frozen import frozen

OPTION_RULE: Final = "option_rule"
"""The code of an option's `rule`, which says what it accepts; the parameter `option` is its name."""

Choices = Mapping[str, Any]
"""The chosen options by name; the others are left open."""


class SpamAndTrash(StrEnum):
    """The treatment of mail in the spam and trash folders."""

    COPY = "copy"
    SKIP = "skip"


class Word(NamedTuple):
    """A word that an option accepts. `name` and `meaning` are shown in forms, translated."""

    value: StrEnum
    name: str
    meaning: str


@frozen
class Option:
    """One option. `help` and `setting` are English, for the console, the API, the CSV template and the
    documentation. Translated: `title` and `meaning`, the heading and the explanation in forms and reports,
    and `rule`, which completes "must be …".

    `read` accepts a stripped text that is not empty and raises Refused. With `needs_labels`, the option has
    an effect only at sources with labels (Gmail), with `for_many` only in batches of several. With
    `starts_again`, another value is a reason to start an import again that is complete. With `forecast`, a
    check counts by it. With `free_text`, it accepts nearly any text: in a file with shifted columns, a
    password as well. With `is_schedule`, it can be changed while an import follows its mailbox.

    `column_names` are the names of its CSV column by language; the first is that of templates.
    """

    name: str
    default: Any
    read: Callable[[str], Any]
    rule: str
    help: str
    setting: str
    title: str
    meaning: str
    words: tuple[Word, ...] = ()
    needs_labels: bool = False
    for_many: bool = False
    starts_again: bool = True
    forecast: bool = True
    free_text: bool = False
    is_schedule: bool = False
    column_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def parse(self, cell: str) -> Any | None:
        """The value of a cell as written; None if it is empty. Raises Refused."""
        text = cell.strip()
        return self.read(text) if text else None

    @property
    def api_type(self) -> type:
        """The type of its field in JSON: an enumeration, a boolean, or its text."""
        kind = type(self.default)
        return kind if issubclass(kind, bool | StrEnum) else str

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that are translated."""
        return (self.title, self.meaning, self.rule, *(text for word in self.words for text in word[1:]))


def text_of(value: Any) -> str:
    """The value as it is written in a cell; `parse` accepts it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def json_of(value: Any) -> str | bool:
    """The value as it is stored and shown in JSON."""
    return value if isinstance(value, bool) else str(value)


def _row(default: Any, read: Callable[[str], Any], **texts: Any) -> Any:
    """A field of ImportOptions, which is a row of the table."""
    return field(default=default, metadata={"option": partial(Option, default=default, read=read, **texts)})


def _word(words: type[StrEnum], rule: str, refused: str, text: str) -> StrEnum:
    try:
        return words(text.casefold())
    except ValueError:
        raise Refused(refused) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """The options of one import."""

    labels: LabelRule = _row(
        LabelRule.ONE,
        partial(_word, LabelRule, "one, keywords or each", "labels_invalid"),
        rule="one, keywords or each",
        help="For mail with several labels (Gmail). one: a single copy, in the folder of the most specific"
        " label; keywords: the same, with the other labels as keywords; each: one copy for each label.",
        setting="How mail with several labels is copied, from hosts with labels (Gmail).",
        title="Mail with several labels",
        meaning="Gmail has labels; your new mailbox has folders. A message with several labels becomes:",
        words=(
            Word(
                LabelRule.ONE,
                "One copy",
                "In the folder of its most specific label: your own labels come before Inbox and Sent,"
                " nested labels before their parents.",
            ),
            Word(
                LabelRule.KEYWORDS,
                "One copy, with its other labels as tags",
                "In the folder of its most specific label. Mail programs such as Thunderbird show the tags.",
            ),
            Word(
                LabelRule.EACH,
                "A copy for each label",
                "Every folder has all of its mail, and each copy takes up space.",
            ),
        ),
        needs_labels=True,
        column_names={
            "en": ("Labels", "Mail with several labels"),
            "de": ("Labels", "Nachrichten mit mehreren Labels"),
            "fr": ("Libellés", "Messages à plusieurs libellés"),
            "it": ("Etichette", "Messaggi con più etichette"),
            "es": ("Etiquetas", "Mensajes con varias etiquetas"),
        },
    )
    sync_flags: bool = _row(
        False,
        yes_or_no,
        rule="yes or no",
        help="Copy flags that have changed in the old mailbox since an earlier import, such as read; flags"
        " changed in the new mailbox stay.",
        setting="Whether later imports copy flags that changed in the old mailbox since the first copy.",
        title="Also copy changed flags",
        meaning="Messages from an earlier import that have since been read, answered or starred in the old"
        " mailbox get the same flags in the new one. Your own changes there are kept.",
        starts_again=False,
        forecast=False,
        column_names={
            "en": ("Changed flags", "Also copy changed flags"),
            "de": ("Geänderte Markierungen", "Auch geänderte Markierungen übernehmen"),
            "fr": ("Marques modifiées", "Reprendre aussi les marques modifiées"),
            "it": ("Contrassegni modificati", "Riprendi anche i contrassegni modificati"),
            "es": ("Marcas cambiadas", "Copiar también las marcas cambiadas"),
        },
    )

    folders: FolderPatterns = _row(
        FolderPatterns(),
        read_patterns,
        rule="all, or patterns such as INBOX, Work/*, !Work/Old",
        help="The folders to copy. Patterns are separated by commas: a name stands for that folder alone, *"
        " for any characters, ! before a pattern leaves out what matches it.",
        setting="The folders that are copied: all, or patterns.",
        title="Folders",
        meaning="all, or names separated by commas, such as INBOX, Work/*, !Work/Old: * stands for any"
        " characters, ! leaves a folder out.",
        free_text=True,
        column_names={
            "en": ("Folders",),
            "de": ("Ordner",),
            "fr": ("Dossiers",),
            "it": ("Cartelle",),
            "es": ("Carpetas",),
        },
    )

    spam_and_trash: SpamAndTrash = _row(
        SpamAndTrash.COPY,
        partial(_word, SpamAndTrash, "copy or skip", "spam_and_trash_invalid"),
        rule="copy or skip",
        help="Mail in the spam and trash folders, and in folders inside them. copy: like all other mail;"
        " skip: it is left out. Such a folder is found by its special use (RFC 6154) or its usual names.",
        setting="Whether mail in the spam and trash folders is copied.",
        title="Spam and trash",
        meaning="Mail in the spam and trash folders of the old mailbox:",
        words=(
            Word(SpamAndTrash.COPY, "Copy it", "Into the spam and trash folders of the new mailbox."),
            Word(SpamAndTrash.SKIP, "Leave it out", "It stays in the old mailbox."),
        ),
        column_names={
            "en": ("Spam and trash",),
            "de": ("Spam und Papierkorb",),
            "fr": ("Indésirables et corbeille",),
            "it": ("Spam e cestino",),
            "es": ("Spam y papelera",),
        },
    )

    since: Since = _row(
        Since(),
        read_since,
        rule="all, or a date such as 2024-01-31",
        help="Copy only mail that the old server received (INTERNALDATE) on that day or later, from 00:00 UTC"
        " on. Messages without a usable date are copied.",
        setting="The day from which on mail is copied.",
        title="Mail since",
        meaning="all, or a date such as 2024-01-31. It is compared with the day on which the old server"
        " received a message (UTC); mail without a usable date is copied.",
        column_names={
            "en": ("Mail since",),
            "de": ("Mails ab",),
            "fr": ("Messages depuis",),
            "it": ("Messaggi dal",),
            "es": ("Correo desde",),
        },
    )

    mail_per_mailbox: bool = _row(
        False,
        yes_or_no,
        rule="yes or no",
        help="Whether the submitter also gets a mail about each mailbox of a batch, beside the summary.",
        setting="Whether the submitter of a batch also gets a mail about each mailbox, beside the summary.",
        title="A mail about each mailbox, too",
        meaning="One mail sums up all mailboxes, those that need you first. With this, you also get one about"
        " each mailbox when it is done.",
        for_many=True,
        starts_again=False,
        forecast=False,
        column_names={
            "en": ("Mail per mailbox", "A mail about each mailbox, too"),
            "de": (
                "Mail je Postfach",
                "Auch eine Mail zu jedem Postfach",
                "Auch eine E-Mail zu jedem Postfach",
            ),
            "fr": (
                "Courriel par boîte",
                "Aussi un courriel pour chaque boîte",
                "Aussi un e-mail pour chaque boîte",
            ),
            "it": ("E-mail per casella", "Anche un’e-mail per ogni casella"),
            "es": ("Correo por buzón", "También un correo por cada buzón"),
        },
    )

    until_cutover: bool = _row(
        False,
        yes_or_no,
        rule="yes or no",
        help="Whether the import goes on after the first copy and fetches what is new, until the mail"
        " exchangers (MX) of the old address's domain are those of the new host. A last pass follows some"
        " hours later. `copy` makes one pass only.",
        setting="Whether imports fetch new mail until the domain has moved to the new host.",
        title="Fetch new mail until the move",
        meaning="New mail follows every few hours until the domain of the old address has moved to the new"
        " host (its MX), and once more some hours later. The passwords stay stored, sealed, until then.",
        forecast=False,
        is_schedule=True,
        column_names={
            "en": ("Until the move", "Fetch new mail until the move"),
            "de": ("Bis zum Umzug", "Neue Mails bis zum Umzug holen"),
            "fr": (
                "Jusqu’au déménagement",
                "Reprendre les nouveaux messages jusqu’au déménagement",
                "Récupérer les nouveaux messages jusqu’au déménagement",
            ),
            "it": (
                "Fino al trasloco",
                "Riprendere i nuovi messaggi fino al trasloco",
                "Riprendi i nuovi messaggi fino al trasloco",
                "Recupera i nuovi messaggi fino al trasloco",
            ),
            "es": ("Hasta el traslado", "Traer el correo nuevo hasta el traslado"),
        },
    )

    follow_until: FollowUntil = _row(
        FollowUntil(),
        read_follow_until,
        rule="no, or a date such as 2026-12-31",
        help="The day at whose end (UTC) the last pass begins at the latest. Alone, it is the only end; with"
        " until_cutover, what comes first counts. Without a date, an import goes on for 90 days at most.",
        setting="The day until which imports fetch new mail.",
        title="Fetch new mail until",
        meaning="no, or a date such as 2026-12-31: new mail follows every few hours until the end of that day"
        " (UTC). The passwords stay stored, sealed, until then.",
        forecast=False,
        is_schedule=True,
        column_names={
            "en": ("Fetch new mail until",),
            "de": ("Neue Mails holen bis",),
            "fr": (
                "Récupérer les nouveaux messages jusqu’au",
                "Reprendre les nouveaux messages jusqu’au",
            ),
            "it": (
                "Recupera i nuovi messaggi fino al",
                "Riprendere i nuovi messaggi fino al",
                "Riprendi i nuovi messaggi fino al",
            ),
            "es": ("Traer el correo nuevo hasta",),
        },
    )

    cutover_mx: MxNames = _row(
        MxNames(),
        read_mx_names,
        rule="destination, or names such as mx1.example.net, mail.example.com",
        help="With until_cutover: the mail exchangers of the new host, separated by commas. A name stands for"
        " all hosts below it, too. destination: those that are known of the new host's provider.",
        setting="The mail exchangers of the installation's destination, for until_cutover.",
        title="Mail exchangers of the new host",
        meaning="destination, or names separated by commas, such as mx.example.net: the domain has moved once"
        " all of its MX records lead there.",
        starts_again=False,
        forecast=False,
        is_schedule=True,
        column_names={
            "en": ("Mail exchangers of the new host", "MX"),
            "de": ("Mailserver (MX) des neuen Anbieters",),
            "fr": ("Serveurs MX du nouvel hébergeur",),
            "it": ("Server MX del nuovo provider",),
            "es": ("Servidores MX del nuevo proveedor", "Servidores MX del proveedor nuevo"),
        },
    )

    def choose(self, choices: Choices) -> ImportOptions:
        """The options with these choices."""
        return replace(self, **choices)

    @property
    def chosen(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return {name: value for name in OPTIONS if (value := getattr(self, name)) != OPTIONS[name].default}

    def starts_again(self, earlier: ImportOptions, *, has_labels: bool) -> bool:
        """Whether an import with these options copies something that a complete one with the `earlier`
        options did not."""
        return any(
            getattr(self, name) != getattr(earlier, name)
            for name, option in OPTIONS.items()
            if option.starts_again and (has_labels or not option.needs_labels)
        )

    def as_json(self) -> dict[str, str | bool]:
        """All options by name."""
        return {name: json_of(getattr(self, name)) for name in OPTIONS}

    @classmethod
    def from_json(cls, stored: Mapping[str, str | bool]) -> ImportOptions:
        """Inverse of `as_json`. An option that is not stored has its default."""
        return _options_of(tuple(stored.items()))


@lru_cache(maxsize=256)  # most imports have the same options, and lists read them by the thousand
def _options_of(stored: tuple[tuple[str, str | bool], ...]) -> ImportOptions:
    return ImportOptions().choose(choices_from_json(dict(stored)))


def choices_from_json(stored: Mapping[str, str | bool]) -> dict[str, Any]:
    """The choices whose texts or booleans are given; names of other versions are ignored."""
    values = {name: option.parse(text_of(stored[name])) for name, option in OPTIONS.items() if name in stored}
    return {name: value for name, value in values.items() if value is not None}


OPTIONS: Final[dict[str, Option]] = {
    row.name: row.metadata["option"](name=row.name) for row in fields(ImportOptions)
}
"""The rows of the table by name, in the order in which they are shown."""

FREE_TEXT: Final = frozenset(name for name, option in OPTIONS.items() if option.free_text)
SCHEDULE_OPTIONS: Final = tuple(name for name, option in OPTIONS.items() if option.is_schedule)

DEFAULTS: Final = ImportOptions()
NO_CHOICES: Final[Choices] = MappingProxyType({})
