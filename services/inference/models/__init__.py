"""Models at work: which there are, which a stream runs on, and how a batch goes through one."""
