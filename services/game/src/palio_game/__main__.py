"""`python -m palio_game` starts the game service alone."""

from palio_game.app import create_app
from palio_game.settings import Settings
from palio_kit import serve

if __name__ == "__main__":
    serve.run(create_app, Settings())
