"""Reading outcomes and measures: from files to counts per unit."""
