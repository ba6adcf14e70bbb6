"""The folder map: where each source folder goes, special folders, label rules."""
