"""Mails of ours: what they say (`compose`) and how they leave (`smtp`)."""
