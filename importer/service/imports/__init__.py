"""The life of an import: submit, check, control, copy in the foreground, finish, undo."""
