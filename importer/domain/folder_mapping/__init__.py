"""Mapping of source folders to destination folders, special folders, label rules."""
