"""Training, by the paper."""
