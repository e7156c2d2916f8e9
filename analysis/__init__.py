"""From outcomes and published numbers to tables, tests, figures and verdicts; imports no torch."""
