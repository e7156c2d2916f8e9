"""Data sets, decoded and resized once into packs."""
