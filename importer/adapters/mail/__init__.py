"""Mailhaul's own mails: composing them (`compose`) and sending them (`smtp`)."""
