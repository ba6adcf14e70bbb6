"""The commands. Each is a few lines: read what was given, call a use case, show what came of it."""

from __future__ import annotations

import typer

from importer.cli import batches, controls, copies, detecting, looking, services, tokens, undoing

app = typer.Typer(
    name="mailferry",
    help=(
        "Copies whole mailboxes from any mail host into yours: nothing lost, nothing twice.\n\n"
        "Exit codes: 0 complete, 1 finished with messages that could not be copied, 2 usage, "
        "3 login refused, 4 destination full, 5 waiting or stopped for something else, 6 internal."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

app.command("copy")(copies.copy)
app.command("check")(copies.check)
app.command("submit")(copies.submit)
app.command("detect")(detecting.detect)
app.command("batch")(batches.batch)
app.command("template")(batches.template)
app.command("list")(looking.list_)
app.command("show")(looking.show_)
app.command("explain")(looking.explain)
app.command("watch")(looking.watch)
app.command("report")(looking.report)
app.command("pause")(controls.pause)
app.command("resume")(controls.resume)
app.command("retry")(controls.retry)
app.command("cancel")(controls.cancel)
app.command("undo")(undoing.undo)
app.command("doctor")(services.doctor)
app.command("worker")(services.worker)
app.command("web")(services.web)
app.command("up")(services.up)
app.command("migrate")(services.migrate)
app.add_typer(tokens.app, name="token")
