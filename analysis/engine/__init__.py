"""Tests, intervals and adjustments on counts of units; runs, files, models and settings are not known here."""
