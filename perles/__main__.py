"""`python -m perles`."""

from perles.cli.main import main

main()
