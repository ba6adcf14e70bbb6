"""Every number of attempts, and every wait between them, stands in `retry_limits.py` with its reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import importer
from importer.domain.planning import retry_limits

PRODUCT = Path(importer.__file__).parent
LIMITS = Path(retry_limits.__file__)
RETRY_NAME = re.compile(
    r"ATTEMPTS|(?<!EN)TRIES|RETRY(?!_AFTER)|RETRIES|PATIENCE|WAITS_S|_WAIT\b|RENEWALS|PASSES|_LOST|LOSSES|FAILURES|VIOLATIONS"
    r"|RESUMPTIONS|(?<!G)ROUNDS|IN_A_ROW"
)
ARGUMENT = re.compile(r"(max_)?(attempts|tries|retries)")
ELSEWHERE = {
    "LONGEST_WAIT": "cli/live_watch.py: what a viewer waits for; nothing is tried again",
    "MAX_WAIT": "service/imports/foreground_copy.py: the longest sleep between two looks at a pause",
    "_RETRY_SHARE": "service/legs/heartbeat.py: a share of the lease, which is set",
}


def numbers(path: Path) -> Iterator[str]:
    """The names that the module gives to retry numbers, and calls and defaults that hold one."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(name)], value=value)
                | ast.AnnAssign(target=ast.Name(name), value=value)
            ) if name.isupper() and RETRY_NAME.search(name) and name not in ELSEWHERE and value is not None:
                if any(
                    isinstance(part, ast.Constant) and type(part.value) in (int, float)
                    for part in ast.walk(value)
                ):
                    yield f"{path.relative_to(PRODUCT)}:{node.lineno} {name}"
            case ast.keyword(arg=str(name), value=ast.Constant(value=int(count))) if ARGUMENT.fullmatch(name):
                if count > 2:  # once more, over a new connection, is what a caller may choose
                    yield f"{path.relative_to(PRODUCT)}:{node.lineno} {name}={count}"
            case ast.arguments():
                for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
                    if (
                        ARGUMENT.fullmatch(argument.arg)
                        and isinstance(default, ast.Constant)
                        and default.value
                    ):
                        yield f"{path.relative_to(PRODUCT)}:{argument.lineno} {argument.arg}"


def test_no_other_module_defines_a_retry_number() -> None:
    found = [number for path in PRODUCT.rglob("*.py") if path != LIMITS for number in numbers(path)]
    assert found == []


def test_each_number_is_recognised_and_has_its_reason() -> None:
    body = ast.parse(LIMITS.read_text()).body
    named = [
        node.target.id
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    without = [
        name
        for node, after in zip(body, [*body[1:], None], strict=True)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and (name := node.target.id)
        if not isinstance(after, ast.Expr | ast.AnnAssign)
    ]
    assert without == []
    assert len(named) > 25
    assert len(set(named)) == len(named)
