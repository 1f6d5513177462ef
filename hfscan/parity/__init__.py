"""Loads a checkpoint into several frameworks and says whether they agree, and whose fault it is.

Nothing here imports a framework: each runs as a process of its own (`backends/`), driven by
`worker`.
"""
