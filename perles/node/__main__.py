"""`python -m perles.node`: what `perles node` starts."""

import sys

from perles.node.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
