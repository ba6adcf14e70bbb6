"""What a folder name has to be for servers to take it: without odd characters, and short enough."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final
from unicodedata import category

REFUSED_SOMEWHERE: Final = frozenset('"%*;<>^`{|}\\#&~?:')
"""Cyrus 3.6 creates no folder with one of the first twelve but "*" in its name, whatever stands around it
(tried out character by character); RFC 9051 section 5.1 warns of "%", "*", "#" and "&"; the others are
no part of a file name on some systems."""


def acceptable(
    component: str, delimiter: str | None, *, at_root: bool, cautious: bool = False
) -> tuple[str, list[str]]:
    """The component as servers take it, and in words what had to be changed.

    Control characters and line separators: RFC 9051 section 5.1. "/" beside another delimiter, "~" at the
    start of a whole name, "." and "..": refused by Dovecot 2.3, which takes "%" and "*". `cautious`: the
    server refused the name as it is, so REFUSED_SOMEWHERE is replaced too.
    """
    stand_in = "-" if delimiter == "_" else "_"
    changes: dict[str, None] = {}
    kept = []
    for char in component:
        if char in (delimiter, "/") or (cautious and char in REFUSED_SOMEWHERE):
            changes[f"“{char}” is not allowed in a name there"] = None
        elif category(char) in ("Cc", "Zl", "Zp", "Cs"):  # Cs: lone surrogates, which no encoding can write
            changes["control characters are not allowed in a name"] = None
        else:
            kept.append(char)
            continue
        kept.append(stand_in)
    name = "".join(kept)
    if not name.strip():
        changes["a name cannot be empty"] = None
        name = stand_in
    elif name in (".", ".."):
        changes[f"“{name}” is not allowed as a name"] = None
        name = stand_in * len(name)
    elif at_root and name.startswith("~"):
        changes["“~” is not allowed at the start of a name there"] = None
        name = stand_in + name[1:]
    return name, list(changes)


def cut(name: str, max_bytes: int) -> str:
    """The longest beginning that fits; never nothing and never blank."""
    beginning = name[: bisect_right(_encoded_bytes_up_to_each(name), max_bytes)]
    return beginning if beginning.strip() else "_"


def encoded_bytes(name: str) -> int:
    """The length of `name` in modified UTF-7 (RFC 3501 section 5.1.3)."""
    return _encoded_bytes_up_to_each(name)[-1] if name else 0


def _encoded_bytes_up_to_each(name: str) -> list[int]:
    """For each character, the encoded length of the name that ends with it: ascending."""
    lengths: list[int] = []
    before_run = run_bytes = 0  # a run of other characters is "&", base64 of its UTF-16 without padding, "-"
    for char in name:
        if " " <= char <= "~":
            before_run = (lengths[-1] if lengths else 0) + (2 if char == "&" else 1)
            run_bytes = 0
            lengths.append(before_run)
        else:
            run_bytes += 4 if char > "\uffff" else 2
            lengths.append(before_run + 2 + (run_bytes * 8 + 5) // 6)
    return lengths
