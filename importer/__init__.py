"""Mailhaul: copies whole mailboxes from any mail host into yours."""
