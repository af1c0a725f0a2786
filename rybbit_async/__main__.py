"""``python -m rybbit_async`` is the same as ``rybbit-async``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
