"""`python -m palio_websocket` starts the websocket service alone."""

from palio_kit import serve
from palio_websocket.app import create_app
from palio_websocket.protocol import LiveProtocol
from palio_websocket.settings import Settings

if __name__ == "__main__":
    serve.run(create_app, Settings(), ws=LiveProtocol)
