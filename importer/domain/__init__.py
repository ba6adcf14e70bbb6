"""Pure decisions: frozen dataclasses and functions. No I/O, no clock, no log."""
