"""Scores that several programs need. NumPy only; shares in [0, 1], never percent, and never NaN in silence."""
