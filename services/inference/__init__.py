"""Frames to scores and events."""

import os

# OpenMP's threads spin while they wait unless told otherwise before torch is imported: on cores shared with Redis,
# ingest or JPEG decoding that costs the model up to nine tenths of its speed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
