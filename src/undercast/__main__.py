"""`python -m undercast` is the `undercast` command."""

from undercast.cli.main import main

main()
