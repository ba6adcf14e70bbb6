"""docs/asvs.md lists every requirement of OWASP ASVS 5.0.0 level 2 once, with tests that exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "asvs.md"
STATES: Final = ("met", "not met", "not applicable")
MAX_NOT_MET: Final = 8

# How many requirements of levels 1 and 2 each section has; a section's numbers of level 3 are left out below.
SECTIONS: Final = """
V1.1 1 2
V1.2 1 2 3 4 5 6 7 8 9
V1.3 1 2 3 4 5 6 7 8 9 10 11
V1.4 1 2 3
V1.5 1 2
V2.1 1 2 3
V2.2 1 2 3
V2.3 1 2 3 4
V2.4 1
V3.2 1 2
V3.3 1 2 3 4
V3.4 1 2 3 4 5 6
V3.5 1 2 3 4 5
V3.7 1 2
V4.1 1 2 3
V4.2 1
V4.3 1 2
V4.4 1 2 3 4
V5.1 1
V5.2 1 2 3
V5.3 1 2
V5.4 1 2 3
V6.1 1 2 3
V6.2 1 2 3 4 5 6 7 8 9 10 11 12
V6.3 1 2 3 4
V6.4 1 2 3 4
V6.5 1 2 3 4 5
V6.6 1 2 3
V6.8 1 2 3 4
V7.1 1 2 3
V7.2 1 2 3 4
V7.3 1 2
V7.4 1 2 3 4 5
V7.5 1 2
V7.6 1 2
V8.1 1 2
V8.2 1 2 3
V8.3 1
V8.4 1
V9.1 1 2 3
V9.2 1 2 3 4
V10.1 1 2
V10.2 1 2
V10.3 1 2 3 4
V10.4 1 2 3 4 5 6 7 8 9 10 11
V10.5 1 2 3 4 5
V10.6 1 2
V10.7 1 2 3
V11.1 1 2
V11.2 1 2 3
V11.3 1 2 3
V11.4 1 2 3 4
V11.5 1
V11.6 1
V12.1 1 2 3
V12.2 1 2
V12.3 1 2 3 4
V13.1 1
V13.2 1 2 3 4 5
V13.3 1 2
V13.4 1 2 3 4 5
V14.1 1 2
V14.2 1 2 3 4
V14.3 1 2 3
V15.1 1 2 3
V15.2 1 2 3
V15.3 1 2 3 4 5 6 7
V16.1 1
V16.2 1 2 3 4 5
V16.3 1 2 3 4
V16.4 1 2 3
V16.5 1 2 3
"""
_ROW: Final = re.compile(r"\| (V[\d.]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")
_TEST: Final = re.compile(r"\b((?:unit|property|contract|integration|browser|hostile|fuzz)/\w+\.py)::(\w+)")
_LINK: Final = re.compile(r"\]\(([^)#]+)(?:#([\w-]+))?\)")


def rows() -> list[tuple[str, str, str, str]]:
    """Id, subject, state and evidence of each row."""
    found = [_ROW.fullmatch(line) for line in PAGE.read_text(encoding="utf-8").splitlines()]
    return [(row[1], row[2], row[3], row[4]) for row in found if row]


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@cache
def anchors(path: Path) -> frozenset[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads)


def test_every_requirement_is_listed_once() -> None:
    expected = [
        f"{section}.{number}"
        for section, *numbers in map(str.split, SECTIONS.split("\n")[1:-1])
        for number in numbers
    ]
    assert len(expected) == 246
    assert [row[0] for row in rows()] == expected


def test_every_row_has_a_state_and_a_reason() -> None:
    for id_, _, state, evidence in rows():
        assert state in STATES, id_
        assert evidence.strip(), id_
        if state == "met":
            assert _TEST.search(evidence) or _LINK.search(evidence), f"{id_} names no test and no page"


def test_every_named_test_and_page_exists() -> None:
    for id_, _, _, evidence in rows():
        for file, name in _TEST.findall(evidence):
            assert name in functions(ROOT / "tests" / file), f"{id_}: {file}::{name}"
        for page, anchor in _LINK.findall(evidence):
            path = PAGE.parent / page
            assert path.is_file(), f"{id_}: {page}"
            assert not anchor or anchor in anchors(path), f"{id_}: {page}#{anchor}"


def test_the_numbers_at_the_head_of_the_page_are_right() -> None:
    counts = Counter(state for _, _, state, _ in rows())
    head = f"**met {counts['met']}, not met {counts['not met']}, not applicable {counts['not applicable']}**"
    assert head in PAGE.read_text(encoding="utf-8")
    assert counts["not met"] <= MAX_NOT_MET


# --- What the sources do not do -----------------------------------------------------------------------

_CALLS: Final = frozenset({"eval", "exec", "compile", "__import__", "input"})
_MEMBERS: Final = frozenset(
    {"os.system", "os.popen", "hashlib.md5", "hashlib.sha1", "random.seed", "yaml.load", "tempfile.mktemp"}
)
_MODULES: Final = frozenset(
    {"pickle", "marshal", "shelve", "dill", "xml.sax", "xml.dom", "lxml", "telnetlib"}
)
_RANDOM: Final = {"adapters/imap/reconnecting.py", "adapters/mail/smtp.py"}  # jitter between tries


@pytest.mark.parametrize("package", ["importer", "providers"])
def test_no_dangerous_call_is_used(package: str) -> None:
    """No evaluation of text, shell, unsafe deserialisation, broken hash, guessable random number, or regular
    expression made of input."""
    for path in (ROOT / package).rglob("*.py"):
        where = path.relative_to(ROOT / package).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name)):
                    assert name not in _CALLS, f"{where}:{node.lineno} {name}"
                case ast.Attribute(value=ast.Name(id=module), attr=name):
                    assert f"{module}.{name}" not in _MEMBERS, f"{where}:{node.lineno}"
                case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                    raise AssertionError(f"{where}: a shell")
                case ast.Import(names=names):
                    modules = {alias.name for alias in names}
                    assert not modules & _MODULES, f"{where}:{node.lineno}"
                    assert "random" not in modules or where in _RANDOM, f"{where}:{node.lineno}"
                case ast.ImportFrom(module=module):
                    assert module not in _MODULES | {"random"}, f"{where}:{node.lineno}"
                case _:
                    pass
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                _check_pattern(node, node.func, where)


def _check_pattern(call: ast.Call, function: ast.Attribute, where: str) -> None:
    """A pattern in an f-string holds constants of the module, or escapes what it inserts."""
    if not (isinstance(function.value, ast.Name) and function.value.id == "re" and call.args):
        return
    pattern = call.args[0]
    for part in pattern.values if isinstance(pattern, ast.JoinedStr) else []:
        if isinstance(part, ast.FormattedValue):
            text = ast.unparse(part.value)
            assert text.startswith("re.escape(") or text.lstrip("_").isupper(), f"{where}: {text}"


def test_the_script_of_the_pages_uses_nothing_dangerous() -> None:
    scripts = [*(ROOT / "importer" / "web").rglob("*.js")]
    assert scripts
    dangerous = (
        r"\b(eval|Function|postMessage|localStorage|sessionStorage|indexedDB|outerHTML"
        r"|insertAdjacentHTML|__proto__|importScripts)\b|document\.(write|cookie)|javascript:"
    )
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert not re.findall(dangerous, text), script.name
        # Parts of pages that the server rendered and escaped.
        assert {*re.findall(r"innerHTML\W+(.+);", text)} <= {"JSON.parse(event.data).html", "html"}
