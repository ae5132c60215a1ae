"""The web page in a real browser, on a running system."""
