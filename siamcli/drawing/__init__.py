"""Drawing into frames: boxes, scores and states."""
