"""Notifications: mail from the outbox and webhook calls."""
