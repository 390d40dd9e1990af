"""Reports: results files in, tables and pages out. Nothing here knows a backend or a framework."""
