"""A web page on which people look at trajectories and correct them, and a page for those who only look."""
