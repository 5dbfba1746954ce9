"""Sets of values that every policy is held against."""

from typing import Any

Values = dict[str, Any]

MATRIX: list[tuple[str, str, Values]] = [
    ("palio", "production", {}),
    ("palio", "demo", {"profile": "demo", "nodePorts.enabled": True}),
    ("palio", "replicas", {
        "services.gateway.replicas": 3, "services.websocket.autoscaling.enabled": True, "services.score.replicas": 2,
        "services.score.env": {"PALIO_FLUSHES_MAX": "4"},
    }),
    ("palio", "external stores", {
        "database.owner": {"secret": "their-owner", "key": "uri"}, "redis": {"secret": "their-redis", "key": "uri"},
        "database.roles": {"user": {"secret": "their-user", "key": "uri"}}, "signingKeys.existingSecret": "their-keys",
        "networkPolicy.databasePeers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "networkPolicy.databasePort": 6432,
        "networkPolicy.redisPeers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
    }),
    ("palio", "public", {
        "ingress.enabled": True, "ingress.hosts": ["play.example.org"], "ingress.tlsSecret": "play-tls",
        "httpRoute.enabled": True, "httpRoute.parentRefs": [{"name": "public"}],
        "httpRoute.hostnames": ["live.example.org"], "trustedProxies": ["10.0.0.0/8"],
    }),
    ("palio", "public issuer", {
        "identity.jwksUrl": "https://issuer.example.org/keys", "identity.issuer": "https://issuer.example.org",
        "tournaments.runBy": "operator", "tournaments.namespaces": ["arena"], "test.organiserSecret": "tester",
        "image.registry": "registry.example.org/games/",
        "image.tag": "1.2.3", "image.pullSecrets": ["pull"],
    }),
    ("palio", "no policies", {"networkPolicy.enabled": False, "database.migrate": False}),
    ("palio-data", "defaults", {}),
    ("palio-data", "own secrets", {
        "postgres.existingSecret": "their-postgres", "redis.existingSecret": "their-redis",
        "postgres.storage.className": "fast", "networkPolicy.enabled": False,
    }),
    ("palio-operator", "defaults", {}),
    ("palio-operator", "some namespaces", {"watch.namespaces": ["arena"], "cleanup.mode": "Delete"}),
    ("palio-operator", "load tests elsewhere", {
        "loadTest.allowedHosts": ["play.example.org", "staging.example.org:8443"], "loadTest.maxConcurrent": 3,
        "loadTest.egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
    }),
    ("palio-operator", "minimal", {
        "crds.enabled": False, "aggregateRoles": False, "networkPolicy.enabled": False, "loadTest.enabled": False,
    }),
]  # fmt: skip
IDS = [f"{chart}: {title}" for chart, title, _ in MATRIX]
CASES = [(chart, values) for chart, _, values in MATRIX]
