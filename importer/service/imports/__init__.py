"""The life cycle of an import: check, submit, control, copy in the foreground, finish, undo."""
