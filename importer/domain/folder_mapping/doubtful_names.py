"""Names of new folders that some servers refuse, which only CREATE can tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable


def doubtful_names(wanted: Iterable[str], existing: Collection[str], delimiter: str | None) -> frozenset[str]:
    """The names that have to be created and that some servers refuse: names with a dot (Dovecot's
    Maildir++ refuses it whatever its `delimiter` is) and names that differ from another one in case alone.
    """
    new = [name for name in wanted if name not in existing]
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for name in (*new, *existing):
        alike[name.casefold()].add(name)
    return frozenset(
        name for name in new if (delimiter != "." and "." in name) or len(alike[name.casefold()]) > 1
    )
