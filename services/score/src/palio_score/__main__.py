"""`python -m palio_score` starts the score service alone."""

from palio_kit import serve
from palio_score.app import create_app
from palio_score.settings import Settings

if __name__ == "__main__":
    serve.run(create_app, Settings())
