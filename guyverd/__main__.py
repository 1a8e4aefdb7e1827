"""`python -m guyverd` is `guyverd`."""

from guyverd.cli import main

if __name__ == "__main__":
    main()
