"""No secret is said: `reveal()` never reaches a text, an error or a log event.

`Text` and `Secret` already refuse each other by type; this holds the plain value, which is a `str`.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOGGERS = {"log", "logger", "get_logger", "getLogger"}
EVENTS = {"bind", "critical", "debug", "error", "exception", "info", "log", "msg", "warn", "warning"}
KEEPS_NOTHING = {"Secret", "_digest", "_reply_code", "bool", "len", "replace", "signature"}
"""Calls whose result no longer shows the value that they were given; `replace` is how it is struck out."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def trees() -> dict[str, ast.Module]:
    paths = (path for package in ("importer", "providers") for path in sorted((ROOT / package).rglob("*.py")))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def errors() -> frozenset[str]:
    """The names of all exceptions: Python's, and ours, which are derived from another one."""
    known = {name for name, value in vars(builtins).items() if isinstance(value, type) and is_error(value)}
    classes = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while new := {c.name for c in classes if known & {name_of(base) for base in c.bases}} - known:
        known |= new
    return frozenset(known)


def is_error(kind: type) -> bool:
    return issubclass(kind, BaseException)


def name_of(node: ast.AST) -> str:
    """That of a name, an attribute, or what is called."""
    match node:
        case ast.Call():
            return name_of(node.func)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def says(call: ast.Call) -> bool:
    """Whether people or a log get to see the arguments."""
    match call.func:
        case ast.Attribute(value=logger, attr=method) if method in EVENTS and name_of(logger) in LOGGERS:
            return True
    return name_of(call) == "Text" or name_of(call) in errors()


def shows(node: ast.AST, plain: set[str]) -> bool:
    """Whether the value of an expression may contain that of a secret; `plain` are names that do."""
    match node:
        case (
            ast.Call(func=ast.Attribute(attr="reveal"))
            | ast.Attribute(value=ast.Name("secret"), attr="_value")
        ):
            return True
        case ast.Call() if name_of(node) in KEEPS_NOTHING:
            return False
        case ast.Compare():
            return False
        case ast.Name(id=name):
            return name in plain
    return any(shows(part, plain) for part in ast.iter_child_nodes(node))


def bound(scope: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(target, value) of every assignment in a function."""
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((target, value) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield target, value
            case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                yield target, value
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield target, value


def names_of_secrets(scope: ast.AST) -> set[str]:
    plain: set[str] = set()
    while True:
        new = {
            name.id
            for target, value in bound(scope)
            if shows(value, plain)
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        } - plain
        if not new:
            return plain
        plain |= new


def leaks(tree: ast.Module) -> set[int]:
    """The lines of calls that say a secret."""
    found = set()
    for scope in (tree, *(node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))):
        plain = names_of_secrets(scope) if isinstance(scope, FUNCTIONS) else set()
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and says(node):
                arguments = (*node.args, *(keyword.value for keyword in node.keywords))
                if any(shows(argument, plain) for argument in arguments):
                    found.add(node.lineno)
    return found


def test_no_secret_reaches_a_text_an_error_or_a_log_event() -> None:
    revealing = {path: tree for path, tree in trees().items() if "reveal" in map(name_of, ast.walk(tree))}
    assert len(revealing) > 10
    assert {path: lines for path, tree in revealing.items() if (lines := leaks(tree))} == {}


def test_the_errors_of_mailhaul_are_known() -> None:
    assert {"ValueError", "MailError", "LoginRejected", "VaultError", "Usage", "SettingsError"} <= errors()


@pytest.mark.parametrize(
    "statement",
    [
        'Text("login_rejected", password=password.reveal())',
        'Text("login_rejected", steps=Text("a", words=f"LOGIN {password.reveal()}"))',
        'raise LoginRejected(Text("a", words=str(password.reveal())))',
        "raise ValueError(password.reveal())",
        'raise MailError("no login with " + grant.password.reveal()[:2]) from None',
        'log.warning("login.failed", password=password.reveal())',
        'telemetry.get_logger().error("a", sent=["LOGIN", password.reveal()])',
        'log.bind(password=password.reveal()).info("a")',
        'plain = password.reveal()\n    line = f"LOGIN {plain}"\n    raise ValueError(line)',
        'for part in (user, password.reveal().encode()):\n        log.info("a", part=part)',
        'if plain := password.reveal():\n        Text("a", words=plain)',
        'problems = [Text("a", words=part) for part in password.reveal().split()]',
    ],
)
def test_a_secret_that_is_said_is_found(statement: str) -> None:
    assert leaks(ast.parse(f"def log_in(user, password):\n    {statement}\n"))


@pytest.mark.parametrize(
    "statement",
    [
        "client.login_command(user, password.reveal())",
        'raise ValueError(f"{len(password.reveal())} characters")',
        'Text("a", words=words.replace(password.reveal(), "•••"))',
        "Secret(password.reveal().strip())",
        'plain = password.reveal()\n    client.login_command(plain)\n    log.info("login.done", user=user)',
        'log.info("a", is_set=bool(password.reveal()))',
    ],
)
def test_a_secret_that_is_used_is_no_leak(statement: str) -> None:
    assert not leaks(ast.parse(f"def log_in(user, password):\n    {statement}\n"))
