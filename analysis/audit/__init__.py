"""Hold the statements of an article against the numbers that it published.

``python -m analysis.audit FOLDER --out FOLDER`` reads published numbers and claims, evaluates every
claim with a pure function of its kind, and writes one verdict per claim. It needs no model, no
image and no network.
"""
