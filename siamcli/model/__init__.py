"""The network: weights and tensors only."""
