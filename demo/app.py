"""Entry of a Hugging Face Space: put this file into the Space with a requirements.txt that names timeground[demo].

TIMEGROUND_MODEL chooses the model. The Space's own front door stands before the page, so it listens on all addresses.
"""

import os
import sys

from timeground.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["demo", "--host", "0.0.0.0", "--model", os.environ.get("TIMEGROUND_MODEL", "tiny")]))  # noqa: S104
