"""Provider look-ups on the network: DNS, and small files over https, with limits and through the egress
guard."""
