"""Looking providers up on the network: DNS and small files, within limits, through the guard."""
