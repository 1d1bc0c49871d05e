"""``python -m syncd.cli``: the command without its script."""

import sys

from syncd.cli import main

if __name__ == "__main__":
    sys.exit(main())
