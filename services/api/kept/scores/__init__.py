"""What is kept of frames' scores: read in pages, and judged by other thresholds."""
