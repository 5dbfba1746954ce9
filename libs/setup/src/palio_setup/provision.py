"""Secrets that are made once and kept, and the copy of the cluster's key set that is made anew each time.

A password that exists is never changed: upgrades, rollbacks and a reinstallation find the database they left.
"""

import base64
import json
import secrets as random
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from palio_setup.cluster import Cluster, Refused
from palio_setup.plan import KeySet, Password, Plan

_PASSWORD_BYTES = 24


def secrets(cluster: Cluster, plan: Plan, environment: Mapping[str, str]) -> list[str]:
    """Make what is missing, bring URLs up to date; answers what was done.

    Raises:
        Refused: the API server did not let us.
    """
    done = [_password(cluster, wanted, plan.labels, environment) for wanted in plan.passwords]
    for keys in plan.signing_keys:
        if cluster.get(cluster.core("secrets", keys.secret)) is None:
            _create(cluster, "Secret", keys.secret, plan.labels, {keys.key: signing_keys()})
            done.append(f"secret {keys.secret}: created")
    return [line for line in done if line]


def key_set(cluster: Cluster, wanted: KeySet) -> list[str]:
    """Copy the issuer and the key set that verify service accounts' tokens into a ConfigMap; answers what was done.

    Raises:
        Refused: the API server did not let us, or is no issuer.
    """
    discovery = cluster.get("/.well-known/openid-configuration")
    key_document = cluster.get("/openid/v1/jwks")
    if discovery is None or key_document is None:
        raise Refused("the API server publishes no key set for service accounts")
    data = {"issuer": discovery["issuer"], "jwks.json": json.dumps(key_document, sort_keys=True)}
    known = cluster.get(cluster.core("configmaps", wanted.config_map))
    if known is None:
        _create(cluster, "ConfigMap", wanted.config_map, wanted.labels, data)
        return [f"config map {wanted.config_map}: created"]
    if known.get("data") == data:
        return []
    cluster.patch(cluster.core("configmaps", wanted.config_map), {"data": data})
    return [f"config map {wanted.config_map}: brought up to date"]


def signing_keys() -> str:
    """Two private Ed25519 keys (RFC 8037): the second is published ahead of its first use."""
    return json.dumps({"keys": [_signing_key() for _ in range(2)]})


def _signing_key() -> dict[str, str]:
    key: dict[str, str] = json.loads(jwt.get_algorithm_by_name("EdDSA").to_jwk(Ed25519PrivateKey.generate()))
    return key | {"kid": random.token_hex(8), "use": "sig", "alg": "EdDSA"}


def _password(cluster: Cluster, wanted: Password, labels: Mapping[str, str], environment: Mapping[str, str]) -> str:
    known = cluster.get(cluster.core("secrets", wanted.secret))
    if known is None:
        password = random.token_urlsafe(_PASSWORD_BYTES)
        data = {"password": password, "url": _url(wanted, password, environment)}
        _create(cluster, "Secret", wanted.secret, labels, data)
        return f"secret {wanted.secret}: created"
    told = {name: base64.b64decode(value).decode() for name, value in (known.get("data") or {}).items()}
    if "password" not in told:
        raise Refused(f"secret {wanted.secret} is there but has no password: name it in the values, or delete it")
    url = _url(wanted, told["password"], environment)
    if told.get("url") == url:
        return ""
    cluster.patch(cluster.core("secrets", wanted.secret), {"stringData": {"url": url}})
    return f"secret {wanted.secret}: has a new url"


def _url(wanted: Password, password: str, environment: Mapping[str, str]) -> str:
    if not wanted.url_from:
        return wanted.url.replace("{password}", quote(password, safe=""))
    owner = urlsplit(environment[wanted.url_from])
    place = f"{wanted.role}:{quote(password, safe='')}@{owner.netloc.rpartition('@')[2]}"
    return urlunsplit(owner._replace(netloc=place))


def _create(cluster: Cluster, kind: str, name: str, labels: Mapping[str, str], data: Mapping[str, str]) -> None:
    collection, field = ("secrets", "stringData") if kind == "Secret" else ("configmaps", "data")
    document: dict[str, Any] = {
        "apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": dict(labels)}, field: dict(data),
    }  # fmt: skip
    cluster.create(cluster.core(collection), document)
