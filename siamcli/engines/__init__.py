"""Ways to run the network: one file per way, one protocol for all."""
