"""``python -m activelab``: the command line."""

from activelab.cli import main

if __name__ == "__main__":
    main()
