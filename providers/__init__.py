"""What a mail host is and how to log in. Imports nothing of importer/."""
