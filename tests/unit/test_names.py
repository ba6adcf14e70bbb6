"""Names of the product: one meaning each, standard terms, no trace of the former name."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FORMER_NAME: Final = "fer" + "ry"

BANNED: Final = {
    "asked": "query, request or question",
    "asking": "folder_commands, checks",
    "errand": "oauth cookie",
    "foreign": "existing",
    "hark": "listen",
    "kinds": "types",
    "looking": "queries",
    "manners": "host limits",
    "mend": "fix",
    "nobody": "none",
    "obey": "apply",
    "odd": "warning",
    "ordering": "submissions",
    "placed": "submitted",
    "sayings": "server messages",
    "speech": "i18n",
    "telling": "as_json",
    "told": "reported, listener",
    "together": "concurrently",
    "tries": "attempts, rate limits",
    "turn": "slot",
    "visit": "session",
    "weighing": "quota",
    "whoever": "owner, caller",
    "wish": "request",
}
"""Words that must not occur in public names -> the standard terms."""


SAME_MODULE_NAME: Final = {
    # A port and its adapter have the same name.
    "api_clients": "the port, its store, and the use cases about it",
    "budgets": "the port and its store",
    "consents": "the port and its store",
    "leases": "the port and its store",
    "monitoring": "the port and its store",
    "ledger": "the port and its store",
    "personal_data": "the port, its store, and what is known of an address",
    "retention": "the port and its store",
    "evidence_records": "the port and its store",
    "schema": "the port and its store",
    "store": "the port and the package that implements it",
    "web_sessions": "the port, its store, and the use cases about it",
    "audit_trail": "the port and its store",
    "webhook_calls": "the port and its store",
    # A package and a module about the same thing.
    "check_texts": "what the codes of a check mean, and a check in the reader's language",
    "discovery_texts": "what the codes of a discovery mean, and a discovery in the reader's language",
    "folder_names": "what a server takes as a name, and a name in the reader's language",
    "imports": "the use cases, and their tables in the store",
}
"""Module names that may occur more than once -> the reason."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("importer", "providers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def public_names(module: ast.Module) -> Iterator[str]:
    """Classes, functions and constants of the module, and the methods of its classes."""
    for node in module.body:
        match node:
            case ast.ClassDef(name):
                yield name
                yield from (part.name for part in node.body if isinstance(part, ast.FunctionDef))
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                yield name
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                yield name


def words(name: str) -> list[str]:
    """`HTTPServer_error` -> http, server, error."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path, module in modules():
        for node in module.body:
            match node:
                case ast.ClassDef(name) if not name.startswith("_"):
                    places[name].append(str(path))
                case ast.Assign(targets=[ast.Name(name)]) if re.fullmatch(
                    "[A-Z][A-Za-z]*[a-z][A-Za-z]*", name
                ):
                    places[name].append(str(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_public_name_contains_a_banned_word() -> None:
    violations = [
        f"{path}: {name}: say {BANNED[word]}"
        for path, module in modules()
        for name in [path.stem, *public_names(module)]
        if not name.startswith("_")
        for word in words(name)
        if word in BANNED
    ]
    assert not violations, "\n".join(violations)


def test_no_two_modules_share_a_name_without_a_reason() -> None:
    places = defaultdict(set)
    for path, _ in modules():
        module = path.parent if path.stem == "__init__" else path.with_suffix("")
        if module.name not in ("__main__", "importer", "providers"):
            places[module.name].add(module)
    assert {name for name, where in places.items() if len(where) > 1} == set(SAME_MODULE_NAME)


def test_the_former_name_occurs_only_in_the_changelog() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    places = []
    for name in filter(None, listed.decode().split("\0")):
        if FORMER_NAME in name.lower():
            places.append(name)
        lines = (ROOT / name).read_bytes().splitlines()
        places += [f"{name}: {line[:100]!r}" for line in lines if FORMER_NAME.encode() in line.lower()]
    assert [where for where in places if not where.startswith("CHANGELOG.md:")] == []
    assert len(places) == 1, "the changelog mentions the former name once, in the entry about the new name"
