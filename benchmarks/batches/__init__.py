"""Batches of mailboxes, copied by Mailhaul's workers and by several concurrent processes of other copiers."""
