"""The programs a cluster needs, built from Go modules: one binary for all of Kubernetes, etcd, and small tools.

Checksums stay on: a module that cannot be verified is not used, pick a version that can.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import debian
from cache import HACK, cached

KUBERNETES = "1.34.10"
KUBERNETES_NAMES = (
    "kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
)  # fmt: skip
TOOLS = {
    "kind": "sigs.k8s.io/kind@v0.33.0",
    "helm": "helm.sh/helm/v3/cmd/helm@v3.21.4",
    "coredns": "github.com/coredns/coredns@v1.12.1",
    "local-path-provisioner": "github.com/rancher/local-path-provisioner@v0.0.30",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score@v1.20.0",
}
CHECKERS = ("helm", "kubeconform", "kube-score")
SCHEMAS = {
    "k8s.io/kubernetes": (f"v{KUBERNETES}", "api/openapi-spec/swagger.json"),
    "sigs.k8s.io/gateway-api": ("v1.4.1", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
}
"""What charts are held against: the module of each API, its version, and the file that describes it."""
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_NO_COMMIT = "0" * 40


def tool(name: str) -> Path:
    """The path of a tool of `TOOLS`, from PATH if it is there."""
    found = shutil.which(name)
    if found:
        return Path(found)

    def build(folder: Path) -> None:
        _go("install", "-trimpath", "-ldflags", "-s -w", TOOLS[name], cwd=folder, GOBIN=str(folder))

    return cached(name, [TOOLS[name]], build, takes="1 to 2 min") / name


def checkers() -> dict[str, str]:
    """Where everything is that charts are checked with: programs by name, and `schemas`."""
    return {name: str(tool(name)) for name in CHECKERS} | {"schemas": str(schemas())}


def schemas() -> Path:
    """A folder with the files of `SCHEMAS`, as the modules of the node's own versions have them."""

    def build(folder: Path) -> None:
        for module, (version, file) in SCHEMAS.items():
            told = _go("mod", "download", "-json", f"{module}@{version}", cwd=folder)
            shutil.copy(Path(json.loads(told)["Dir"]) / file, folder)

    return cached("schemas", [repr(SCHEMAS)], build, takes="1 min")


def kubernetes() -> Path:
    """A folder with every Kubernetes program, all links to one binary."""
    source = HACK / "node" / "kubernetes"

    def build(folder: Path) -> None:
        _go("build", "-trimpath", "-ldflags", _version_flags(), "-o", str(folder / "kubernetes"), ".", cwd=source)
        for name in KUBERNETES_NAMES:
            (folder / name).symlink_to("kubernetes")

    return cached("kubernetes", [KUBERNETES, source], build, takes="6 min and 4 GB of Go caches")


def etcd() -> Path:
    """etcd; it has replace directives, so it is built through a module of our own."""
    source = HACK / "node" / "etcd"

    def build(folder: Path) -> None:
        package = "go.etcd.io/etcd/server/v3"
        _go("build", "-trimpath", "-ldflags", "-s -w", "-o", str(folder / "etcd"), package, cwd=source)

    return cached("etcd", [source], build, takes="1 min") / "etcd"


def pause() -> Path:
    """The program that holds a pod's namespaces."""
    source = HACK / "node" / "pause"

    def build(folder: Path) -> None:
        _go("build", "-trimpath", "-ldflags", "-s -w", "-o", str(folder / "pause"), ".", cwd=source)

    return cached("pause", [source], build) / "pause"


def _version_flags() -> str:
    major, minor, _ = KUBERNETES.split(".")
    values = {
        "gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean",
        "gitCommit": _NO_COMMIT, "buildDate": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    sets = (f"-X {package}.{name}={value}" for package in _VERSION_PACKAGES for name, value in values.items())
    return " ".join(["-s -w", *sets])


def _go(*arguments: str, cwd: Path, **more: str) -> str:
    """Run it; what it printed."""
    debian.ensure("go", "golang-go")
    # Debian's Go would refuse what asks for a newer one; a toolchain is a module like any other, with its checksum.
    flags = "-buildvcs=false -mod=readonly" if arguments[0] == "build" else "-buildvcs=false"
    environment = {"GOTOOLCHAIN": "auto"} | os.environ | {"CGO_ENABLED": "0", "GOFLAGS": flags} | more
    done = subprocess.run(["go", *arguments], cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
