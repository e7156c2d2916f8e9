"""The report: a Quarto website, and the code that fills and renders it."""
