"""Benchmarks: data sets, protocols, result files, metrics and scores."""
