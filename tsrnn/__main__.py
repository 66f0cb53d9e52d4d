"""`python -m tsrnn` is `tsrnn`."""

from tsrnn.cli import main

main()
