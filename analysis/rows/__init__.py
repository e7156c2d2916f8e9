"""The rows of every table: each column is declared once, with its type, its unit and what it means."""
