"""Folder names that servers accept: without special characters, and short enough."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final
from unicodedata import category

from importer.domain.folder_mapping.last_resorts import Resort, plain
from providers.text import Text

REFUSED_SOMEWHERE: Final = frozenset('"%*;<>^`{|}\\#&~?:')
"""Characters that at least one server rejects in folder names. Cyrus 3.6 rejects each of the first twelve
except "*", in any context (tested character by character). RFC 9051 section 5.1 warns of "%", "*", "#" and
"&". The remaining ones are not allowed in file names on some systems."""


def acceptable(
    component: str, delimiter: str | None, *, at_root: bool, resort: Resort = Resort.NONE
) -> tuple[str, list[Text]]:
    """The component in a form that servers accept, and the reasons for all changes.

    Control characters and line separators are replaced because of RFC 9051 section 5.1; "/" beside another
    delimiter, "~" at the start of a whole name, "." and ".." because Dovecot 2.3 rejects them (it accepts "%"
    and "*"). With `resort` the server rejected the name before; REFUSED_SOMEWHERE and dots, which Dovecot's
    Maildir++ rejects whatever its delimiter is, are replaced too, or all characters but plain ones.
    """
    substitute = "-" if delimiter == "_" else "_"
    changes: dict[Text, None] = {}
    chars = []
    for char in component:
        if char in (delimiter, "/") or (resort and (char in REFUSED_SOMEWHERE or char == ".")):
            changes[Text("folder_name.character", character=char)] = None
        elif category(char) in ("Cc", "Zl", "Zp", "Cs"):  # Cs: lone surrogates, which cannot be encoded
            changes[Text("folder_name.control")] = None
        else:
            chars.append(char)
            continue
        chars.append(substitute)
    name = "".join(chars)
    if not name.strip():
        changes[Text("folder_name.empty")] = None
        name = substitute
    elif name in (".", ".."):
        changes[Text("folder_name.dots", name=name)] = None
        name = substitute * len(name)
    elif at_root and name.startswith("~"):
        changes[Text("folder_name.tilde")] = None
        name = substitute + name[1:]
    if resort >= Resort.PLAIN and (simple := plain(name, substitute)) != name:
        changes[Text("folder_name.plain")] = None
        name = simple
    return name, list(changes)


def cut(name: str, max_bytes: int) -> str:
    """The longest prefix of at most `max_bytes` when encoded; "_" if it would be empty or blank."""
    prefix = name[: bisect_right(_encoded_prefix_bytes(name), max_bytes)]
    return prefix if prefix.strip() else "_"


def encoded_bytes(name: str) -> int:
    """The length of `name` in modified UTF-7 (RFC 3501 section 5.1.3)."""
    return _encoded_prefix_bytes(name)[-1] if name else 0


def _encoded_prefix_bytes(name: str) -> list[int]:
    """For each character, the encoded length of the prefix that ends with it, ascending."""
    lengths: list[int] = []
    before_run = run_bytes = 0  # a non-ASCII run is encoded as "&", unpadded base64 of its UTF-16, "-"
    for char in name:
        if " " <= char <= "~":
            before_run = (lengths[-1] if lengths else 0) + (2 if char == "&" else 1)
            run_bytes = 0
            lengths.append(before_run)
        else:
            run_bytes += 4 if char > "\uffff" else 2
            lengths.append(before_run + 2 + (run_bytes * 8 + 5) // 6)
    return lengths
