"""palio in a kind cluster, whole: `python tools/cluster.py up|down`. `make up` and the cluster tests run this.

Cluster, images, charts: every step finds what an earlier run left and goes on from there, so a second run upgrades in
place and one that failed is simply run again. hack/ knows how to have a cluster, this module what is put into it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import images

ROOT = Path(__file__).resolve().parent.parent
NAME = "palio"
NAMESPACE = "palio"
RELEASES = ("palio-data", "palio", "palio-operator")
CHART_TIMEOUT = "600s"
ANSWER_TIMEOUT_S = 60
UI, GATEWAY, WEBSOCKET = "30300", "30455", "30456"
"""Ports of the node, as the charts and kind-config.yaml have them."""
_PENDING = "status in (pending-install,pending-upgrade,pending-rollback)"


@dataclass(frozen=True)
class Cluster:
    """One kind cluster by name; a private one is on free ports, for tests."""

    name: str
    private: bool = False

    def hack(self, *arguments: str) -> str:
        """What a command of hack/cluster.py says; its progress goes to the terminal."""
        command = [sys.executable, str(ROOT / "hack" / "cluster.py"), *arguments, "--name", self.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
        return done.stdout

    @cached_property
    def ports(self) -> dict[str, int]:
        """Ports of the node → where they are on this machine."""
        return dict(json.loads(self.hack("ports")))

    @contextmanager
    def access(self) -> Iterator["Access"]:
        """Helm and kubectl for it, while the block runs."""
        with tempfile.TemporaryDirectory(prefix="palio-cluster-") as folder:
            kubeconfig = Path(folder) / "kubeconfig"
            kubeconfig.write_text(self.hack("kubeconfig"))
            kubeconfig.chmod(0o600)
            helm, kubectl = self.hack("tool", "helm", "kubectl").split()
            yield Access(kubeconfig, helm, kubectl)


@dataclass(frozen=True)
class Access:
    """helm and kubectl with the kubeconfig of one cluster."""

    kubeconfig: Path
    helm_program: str
    kubectl_program: str

    def helm(self, *arguments: str) -> None:
        """Run helm in our namespace, silent if it succeeds."""
        done = self._run(self.helm_program, "--namespace", NAMESPACE, *arguments)
        if done.returncode:
            raise Failed(f"helm {' '.join(arguments[:2])}:\n{done.stdout}{done.stderr}")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in our namespace; what it said, whether it succeeded or not."""
        return self._run(self.kubectl_program, "--namespace", NAMESPACE, *arguments).stdout

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


class Failed(Exception):
    """A chart could not be installed; the message has Helm's words."""


def up(cluster: Cluster) -> None:
    """Make the cluster if there is none, and bring everything in it up to date."""
    started = time.monotonic()
    cluster.hack("up", *(["--private"] if cluster.private else []))
    bases = json.loads(cluster.hack("bases"))
    references = _images(bases.get("python", ""))
    say("loading images into the cluster")
    cluster.hack("load", *references.values(), *(bases[name] for name in ("postgres", "redis") if name in bases))
    with cluster.access() as access:
        _forget_interrupted(access)
        for release in RELEASES:
            _install(access, release, values(release, references, bases))
    for port, path in ((GATEWAY, "/livez"), (UI, "/"), (WEBSOCKET, "/livez")):
        _await_answer(f"http://127.0.0.1:{cluster.ports[port]}{path}")
    say(f"ready after {time.monotonic() - started:.0f} s")
    _tell(cluster)


def down(cluster: Cluster) -> None:
    """Remove the cluster and all that is in it."""
    cluster.hack("down")


def values(release: str, references: dict[str, str], bases: dict[str, str]) -> dict[str, Any]:
    """The values of a release for the cluster of a developer: our images, the demo profile, the node's ports."""
    setup = {"setup": {"image": references["setup"]}}
    if release == "palio-data":
        return setup | {store: {"image": bases[store]} for store in ("postgres", "redis") if store in bases}
    if release == "palio-operator":
        return setup | {
            "operator": {"image": references["operator"]}, "payout": {"image": references["tournament"]},
            "loadTest": {"image": references["generator"]},
        }  # fmt: skip
    services = {name: {"image": one} for name, one in references.items() if name not in ("operator", "setup")}
    return setup | {
        "profile": "demo", "services": services, "nodePorts": {"enabled": True}, "tournaments": {"runBy": "operator"},
    }  # fmt: skip


def _images(base: str) -> dict[str, str]:
    """Every image, built where something changed."""
    references = {}
    wanted = images.images()
    for number, image in enumerate(wanted, start=1):
        started = time.monotonic()
        references[image.name] = images.build(image, base)
        say(f"image {number}/{len(wanted)}: {references[image.name]} ({time.monotonic() - started:.0f} s)")
    return references


def _forget_interrupted(access: Access) -> None:
    """An installation that was cut off holds a lock in its record; what it made is taken over by the next."""
    access.kubectl("delete", "secret", "--ignore-not-found", "-l", f"owner=helm,{_PENDING}")


def _install(access: Access, release: str, wanted: dict[str, Any]) -> None:
    started = time.monotonic()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(wanted, file)
        file.flush()
        # The definitions may have been applied by hand before: they become the chart's.
        install = ["upgrade", "--install", "--create-namespace", "--take-ownership", release]
        try:
            access.helm(*install, str(ROOT / "charts" / release), "-f", file.name, "--wait", "--timeout", CHART_TIMEOUT)
        except Failed as failed:
            pods = access.kubectl("get", "pods", "-o", "wide")
            events = access.kubectl("get", "events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp")
            logs = access.kubectl("logs", "-l", "app.kubernetes.io/component=setup", "--tail=20", "--prefix")
            sys.exit("\n".join([str(failed), pods, events[-3000:], logs]))
    say(f"chart {release} installed ({time.monotonic() - started:.0f} s)")


def _await_answer(url: str) -> None:
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if time.monotonic() > deadline:
                sys.exit(f"{url} does not answer: {error}")
            time.sleep(0.5)


def _tell(cluster: Cluster) -> None:
    ports = cluster.ports
    print(f"""
  UI         http://127.0.0.1:{ports[UI]}
  API        http://127.0.0.1:{ports[GATEWAY]}/docs
  stream     ws://127.0.0.1:{ports[WEBSOCKET]}/ws/main""")
    if cluster.private:
        return
    with cluster.access() as access:
        print(f"""
  kubectl config use-context kind-{cluster.name}     (kubectl is {access.kubectl_program})
  kubectl apply -f docs/examples/tournament.yaml
  kubectl get trn --watch
  helm -n {NAMESPACE} test palio --logs     (helm is {access.helm_program})

  `make up` again brings it up to date, `make down` removes it.""")


def say(text: str) -> None:
    """One line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Up or down."""
    parser = argparse.ArgumentParser(prog="tools/cluster.py", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "kubeconfig"])
    parser.add_argument("--name", default=NAME)
    parser.add_argument("--private", action="store_true", help="on free ports, and not in ~/.kube/config: for tests")
    asked = parser.parse_args()
    cluster = Cluster(asked.name, private=asked.private)
    match asked.command:
        case "up":
            up(cluster)
        case "down":
            down(cluster)
        case "kubeconfig":
            sys.stdout.write(cluster.hack("kubeconfig"))


if __name__ == "__main__":
    main()
