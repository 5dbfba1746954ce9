"""`python -m palio_generator` starts the service alone."""

from palio_generator.app import create_app
from palio_generator.settings import Settings
from palio_kit import serve

if __name__ == "__main__":
    serve.run(create_app, Settings())
