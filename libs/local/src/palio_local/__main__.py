"""`python -m palio_local` is `palio`."""

from palio_local.main import app

if __name__ == "__main__":
    app()
