"""Videos, with or without old annotations, to clean training rows: `timeground data`."""
