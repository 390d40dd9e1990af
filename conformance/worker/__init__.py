"""The border between a backend's process and its driver: what runs inside, the wire, and the driver's side of both."""
