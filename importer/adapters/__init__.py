"""Each implements a port; strangers to one another."""
