"""Chaos: processes of the running system are killed and frozen, and the outside world must not be able to tell.

`make chaos` runs the long form; `test_chaos.py` a short one.
"""
