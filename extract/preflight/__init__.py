"""What a run needs before it starts: models and data sets present or missing, and hours, memory and disk."""
