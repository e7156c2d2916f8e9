"""The configuration: what may be said in it, and where each run keeps its files."""
