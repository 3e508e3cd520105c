"""How fast, how exact: measurements of the engines, and the network for other programs."""
