"""The project's nouns, each declared once: replacements, tasks, data-set sources, token groups, measures.

Records of plain values that import nothing but the standard library. The config's schema, the dispatch of the
extraction, the words of tables, figures and methods are derived from them; a test holds the docs to them.
"""
