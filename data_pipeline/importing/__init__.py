"""Own annotations to rows: `timeground data import`. Files to records, columns to fields, names to videos, then rows."""
