"""Mailbox sessions over IMAP."""
