"""Telling people and programs: mail from the outbox, calls to webhooks."""
