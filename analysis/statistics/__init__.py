"""The statistics of a run: one module per table or test."""
