"""The command lines of the rules: each reads files of a run, calls one function on them, and writes what it returns."""
