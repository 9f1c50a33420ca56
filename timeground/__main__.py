"""``python -m timeground`` is the `timeground` command."""

import sys

from timeground.cli.main import main

sys.exit(main())
