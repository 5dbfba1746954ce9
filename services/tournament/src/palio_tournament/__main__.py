"""`python -m palio_tournament` starts the service; with a command and an ID it does that and ends."""

import sys

from palio_tournament import commands

if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(commands.main(sys.argv[1:]))

    # Each Job that pays starts here: it does not wait for what only the service needs.
    from palio_kit import serve
    from palio_tournament.app import create_app
    from palio_tournament.settings import Settings

    serve.run(create_app, Settings())
