"""Own annotations to rows, `timeground data import`: files to records, columns to fields, names to videos, rows."""
