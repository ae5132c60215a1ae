"""The worker: frames in, scores, events and memories out, in three stages with queues between them."""
