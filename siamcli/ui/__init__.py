"""Windows and web pages in which the user picks a target."""
