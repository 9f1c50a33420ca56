"""Finding moments as tools for agents and other programs, by the Model Context Protocol."""
