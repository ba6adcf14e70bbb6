"""The reason why an import waits or stopped, and the advice, in the reader's language."""

from __future__ import annotations

from importer.domain.model import Import, Problem, State
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import advice, render, render_with_advice
from importer.i18n.translations import CatalogTranslator


def import_problem(texts: CatalogTranslator, import_: Import) -> str:
    """The reason why an import waits or stopped, with the advice; "" if it has no problem."""
    problem = import_.problem
    return "" if problem is None else render_with_advice(problem.text, texts, problem.side)


def problem_sentence(texts: CatalogTranslator, import_: Import) -> str:
    """Like `import_problem`, without the advice."""
    return "" if import_.problem is None else render(import_.problem.text, texts, import_.problem.side)


def problem_advice(texts: CatalogTranslator, import_: Import) -> str:
    """The advice about the problem of an import that waits, stopped or failed."""
    problem = import_.problem
    if problem is not None and (words := advice(problem.text, texts, problem.side)):
        return words
    if import_.state is State.WAITING:
        return texts.gettext("Nothing: it continues automatically.")
    return texts.gettext("Fix the problem described above, then run it again: it resumes where it stopped.")


def problem_text(texts: CatalogTranslator, problem: Problem) -> str:
    """The problem, the advice, and the server's words."""
    return quoting(texts, render_with_advice(problem.text, texts, problem.side), problem)


def quoting(texts: CatalogTranslator, sentence: str, problem: Problem | None) -> str:
    """The sentence about a problem, with the server's words unless it quotes them already."""
    words = printable(problem.server_text, 400).strip() if problem is not None else ""
    if not words or words in sentence:
        return sentence
    stop = "" if sentence.endswith((".", "!", "?", "…")) else "."
    said = words if words.endswith("..") else words.removesuffix(".")  # the quotation's own stop follows
    quoted = texts.gettext("The server said: “%(words)s”", words=said)
    return f"{sentence}{stop} {quoted}."
