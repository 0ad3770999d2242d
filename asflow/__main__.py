"""`python -m asflow`: the `asflow` command."""

import sys

from asflow._cli import main

if __name__ == "__main__":
    sys.exit(main())
