"""``timeground train check``: is a recipe right, and what will it need, before anything runs."""
