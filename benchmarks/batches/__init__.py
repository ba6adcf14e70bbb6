"""Batches of mailboxes, copied by Mailhaul's workers and by other copiers of which several run at a time."""
