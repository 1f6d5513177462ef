"""Load a checkpoint in several frameworks, compare the outputs and find which one is wrong.

Nothing here imports a framework: each runs in its own subprocess (`backends/`), see `process`.
"""
