"""From weights and images to records and outcomes; the only room that imports torch."""
