"""Many clips, tracked without babysitting."""
