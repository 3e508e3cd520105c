"""Windows and web pages in which people point at a target."""
