"""``python -m timeground`` is the `timeground` command."""

import sys

from timeground.cli import main

sys.exit(main())
