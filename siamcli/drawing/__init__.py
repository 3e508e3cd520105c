"""What is painted into a frame."""
