"""`python -m perles`."""

from perles.cli.fast import main

main()
