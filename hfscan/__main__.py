"""`python -m hfscan`."""

from hfscan.cli import main

main()
