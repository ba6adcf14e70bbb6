"""What people read, in five languages: pages and mails use it alike."""
