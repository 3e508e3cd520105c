"""The algorithm: immutable values in, immutable values out."""
