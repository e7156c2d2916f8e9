"""`python -m analysis.audit FOLDER --out FOLDER`."""

import sys

from analysis.audit.run import main

if __name__ == "__main__":
    sys.exit(main())
