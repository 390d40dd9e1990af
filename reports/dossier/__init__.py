"""What goes upstream: a draft issue for a finding, and a dossier of all findings of a framework."""
