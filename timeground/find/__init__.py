"""In which of many videos something happens, and when: ranked by their indexes, the best looked at by a model."""
