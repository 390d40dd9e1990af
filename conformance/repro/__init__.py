"""Stand-alone reproducers: an adapter's own source, specialised to one call, with literal inputs."""
