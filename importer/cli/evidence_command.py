"""`evidence`: the outcome of each message as a signed file, and the check of such a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.text import Text

from importer.bootstrap import open_signer, standalone
from importer.cli import options, text_views
from importer.cli.argument_texts import not_read, not_written
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.found_ids import imports_of
from importer.cli.options import PATH, EnumChoice
from importer.domain.evidence.evidence_check import EvidenceCheck, NotEvidence, check_lines
from importer.domain.evidence.evidence_file import EvidenceFormat
from importer.domain.reporting.formatting import printable
from importer.domain.reporting.report import ExitCode
from importer.i18n.evidence_texts import counted_text, fault_text, signed_text
from importer.service.evidence_files import EvidenceFile
from importer.settings import Settings


class _IdOrCommand(click.Group):
    """`evidence ID` writes the file; the other commands are named."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["write", *args])


@click.group(cls=_IdOrCommand)
def evidence() -> None:
    """Write what became of each message as a signed file: `evidence ID`.

    Each message has a line with its folders and UIDs, outcome and reason. `evidence check` checks such a
    file, `evidence key` prints the key that signs.

    \b
    Example:
      mailhaul evidence k3v9m2xw7abc --output evidence.csv
    """


@evidence.command("write")
@options.import_or_batch_id
@click.option(
    "--format",
    "file_format",
    type=EnumChoice(EvidenceFormat),
    metavar="FORMAT",
    default=EvidenceFormat.CSV,
    show_default=True,
    help="csv for spreadsheets, or jsonl: JSON Lines.",
)
@click.option("--output", type=PATH, help="File to write; standard output if left out.")
@options.language
@options.data
def write(
    id_: str, file_format: EvidenceFormat, output: Path | None, language: str | None, data: Path | None
) -> None:
    """Write the evidence of an import or a batch. `evidence ID` does the same.

    \b
    Example:
      mailhaul evidence k3v9m2xw7abc --format jsonl --output evidence.jsonl
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        file = EvidenceFile(deps, imports_of(deps, id_, words), file_format)
        if output is None:
            for piece in file:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            try:
                with output.open("wb") as target:
                    target.writelines(file)
            except OSError as error:
                raise Usage(not_written(words, output, error)) from None
    stderr.print(Text(f"SHA-256 {file.seal.file}"), soft_wrap=True)
    if file.changed_since_end:
        changed = words.gettext(
            "This is not the file whose SHA-256 the completion mail states: the ledger has changed since, by"
            " an undo or because a folder was removed or numbered anew."
        )
        stderr.print(Text(changed), soft_wrap=True)


@evidence.command("check")
@click.argument("file", type=PATH, help="Evidence file.")
@click.option(
    "--key",
    "expected",
    metavar="HEX",
    help="Public key that must have signed the file; those of this installation if left out.",
)
@options.language
@options.data
@options.as_json
def check(file: Path, expected: str | None, language: str | None, data: Path | None, as_json: bool) -> None:
    """Check that an evidence file is unaltered, and who signed it.

    The exit code is 0 if it is as it was written, adds up and is signed with the expected key, else 1.

    \b
    Example:
      mailhaul evidence check evidence.csv
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    signer = open_signer(settings)
    keys = [expected.lower()] if expected else [key.hex() for key in signer.public_keys()]
    try:
        with file.open("rb") as lines:
            result = check_lines(lines, signer.verify)
    except OSError as error:
        raise Usage(not_read(words, file, error)) from None
    except NotEvidence:
        raise Usage(words.gettext("%(file)s is not an evidence file.", file=str(file))) from None
    known = result.public_key in keys
    if as_json:
        text_views.print_json(_check_json(result, known=known))
    else:
        for fault in result.faults:
            stdout.print(Text(f"✗ {printable(fault_text(words, fault), 1200)}"), soft_wrap=True)
        stdout.print(Text(counted_text(words, result)), soft_wrap=True)
        stdout.print(Text(signed_text(words, result, known=known)), soft_wrap=True)
        stdout.print(Text(f"SHA-256 {result.sha256}"), soft_wrap=True)
    raise exit_with(ExitCode.COMPLETE if known and not result.faults else ExitCode.REFUSALS)


def _check_json(result: EvidenceCheck, *, known: bool) -> dict[str, object]:
    return {
        "unaltered": not result.faults,
        "signed_by": result.public_key,
        "known_key": known,
        "sha256": result.sha256,
        "lines": result.lines,
        "imports": result.imports,
        "messages": dict(result.outcomes),
        "faults": [{"code": f.code, "line": f.line, "where": f.where} for f in result.faults],
    }


@evidence.command("key")
@options.data
def key(data: Path | None) -> None:
    """Print the public keys of this installation, the one that signs first.

    Publish it: with this key, files can be checked without this installation.

    \b
    Example:
      mailhaul evidence key
    """
    for public_key in open_signer(Settings.load(data=data)).public_keys():
        click.echo(public_key.hex())
