"""Stand-alone scripts for findings: a framework's snippets with literal inputs, or a kernel of one's own, embedded."""
