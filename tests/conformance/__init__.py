"""Facts about decorated functions, stated so that any tracing product can be held against them.

One file is one fact; the first line of its docstring is the row of `docs/conformance.md`. A fact holds when the
decorated function does what the undecorated one does in the same test, and the spans are what the test states. Nothing
here but `adapters` knows a product: the same files run on each, chosen by the variable `ADAPTER`.
"""
