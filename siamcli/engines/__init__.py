"""The engines: several ways to run the network, behind one protocol."""
