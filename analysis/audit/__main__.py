"""`python -m analysis.audit FOLDER --out FOLDER`."""

from analysis.audit.run import main
from config.errors import report_errors

if __name__ == "__main__":
    report_errors(main)
