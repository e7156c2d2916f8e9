"""The tasks: from records, or from the images themselves, to additive counts per unit."""
