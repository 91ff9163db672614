"""python -m onhook"""

import sys

from onhook.cli import main

sys.exit(main())
