"""Provider look-ups on the network: DNS and small files over https, bounded, through the egress guard."""
