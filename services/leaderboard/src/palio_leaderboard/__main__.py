"""`python -m palio_leaderboard` starts the service alone."""

from palio_kit import serve
from palio_leaderboard.app import create_app
from palio_leaderboard.settings import Settings

if __name__ == "__main__":
    serve.run(create_app, Settings())
