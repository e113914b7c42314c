"""`python -m facekit` is the `facekit` command."""

import sys

from facekit.cli import main

sys.exit(main())
