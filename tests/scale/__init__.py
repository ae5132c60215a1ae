"""`make scale`: what thousands of registered streams cost each service, at rest and with some of them live."""
