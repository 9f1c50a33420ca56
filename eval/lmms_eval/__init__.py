"""Tasks for lmms-eval, given to it by ``--include_path``: timeground's rows, prompts and strict metrics there."""
