"""The border between a backend's process and its driver: the shim inside, the wire, and the driver's side of both."""
