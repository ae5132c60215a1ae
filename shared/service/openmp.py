"""How OpenMP's threads wait: import this before torch."""

import os

# They spin unless told otherwise before torch is imported: on cores shared with Redis, ingest or JPEG decoding that
# costs the model up to nine tenths of its speed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
