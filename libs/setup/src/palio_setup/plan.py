"""What a chart asks for. Nothing secret stands in a plan: it names secrets, the cluster holds them."""

import msgspec


class Password(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Secret with a generated `password` and a `url` made of it.

    `url` has `{password}` where it belongs. With `url_from`, an environment variable that holds the owner's URL, it is
    that URL with `role` and the password instead of the owner's.
    """

    secret: str
    url: str = ""
    url_from: str = ""
    role: str = ""


class SigningKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Secret with the private keys that sign users' access tokens, as a JWKS in `key`."""

    secret: str
    key: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All secrets of one chart, and the labels they get."""

    labels: dict[str, str]
    passwords: list[Password] = []
    signing_keys: list[SigningKeys] = []


class KeySet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ConfigMap with a copy of the cluster's key set (`jwks.json`) and the name of its issuer (`issuer`)."""

    config_map: str
    labels: dict[str, str]
