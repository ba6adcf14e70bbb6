"""One message: its body, identity, flags, date and subject."""
