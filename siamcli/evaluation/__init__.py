"""Benchmarks: sequences in, numbers out."""
