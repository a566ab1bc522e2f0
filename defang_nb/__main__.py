"""`python -m defang_nb` is `defang-nb`."""

from __future__ import annotations

import sys

from defang_nb.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
