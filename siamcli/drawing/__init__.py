"""Draws into frames: boxes, scores, states, and effects that hide targets."""
