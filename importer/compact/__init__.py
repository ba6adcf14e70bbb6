"""Compact containers for UIDs and digests: a mailbox of a million messages fits in memory."""
