"""The site: a folder of pages that opens from a file, works offline, and asks nothing of any server.

``build`` leads: it reads the runs case by case, writes a page for each, gathers what the other pages show, and writes
them. What a page says is gathered in the module of its name; how it looks is in ``templates`` and ``assets``.
"""
