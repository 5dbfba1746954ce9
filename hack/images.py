"""Images for a cluster where no registry can be reached: a kind node with its system images, and a Python base.

Root file systems come from Debian by mmdebstrap, everything else from our own builds; tags are `palio.local/*`.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import debian
import toolchain
from cache import HACK, cached, digest, say

REGISTRY = "palio.local"
SUITE = debian.SUITE
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NODE_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "containerd", "runc", "containernetworking-plugins", "iptables", "nftables",
    "iproute2", "iputils-ping", "ethtool", "conntrack", "socat", "kmod", "util-linux", "procps", "libseccomp2",
    "e2fsprogs", "ca-certificates", "curl", "jq", "dnsmasq-base", "rsync", "tar", "gzip",
)  # fmt: skip
PYTHON_PACKAGES = ("python3", "python3-venv", "ca-certificates", "tini")
POSTGRES_PACKAGES = ("postgresql-17",)
REDIS_PACKAGES = ("valkey-server",)
STORE_USER = 999
"""The number that the official images of both stores run as."""
COREDNS, ETCD, PAUSE = "v1.12.1", "3.6.5-0", "3.10.1"
NODE_IMPORT_TIMEOUT_S = 60


def node_image() -> str:
    """The tag of the node image, built if this machine does not have it."""
    tag = (
        f"{REGISTRY}/node:v{toolchain.KUBERNETES}-{digest([HACK / 'node', HACK / 'toolchain.py', HACK / 'images.py'])}"
    )
    if not has(tag):
        system = _system_images()
        bare = f"{REGISTRY}/node-bare"
        with _context({"kubernetes": toolchain.kubernetes() / "kubernetes"}) as context:
            shutil.copytree(HACK / "node" / "rootfs", context / "rootfs", symlinks=True)
            (context / "kind").mkdir()
            (context / "kind" / "version").write_text(f"v{toolchain.KUBERNETES}")
            _write_storage(context / "kind" / "manifests")
            _build(context, (HACK / "node" / "Dockerfile").read_text(), bare)
        _import_into(bare, system, tag)
    return tag


def python_base() -> str:
    """The tag of the base of our service images: Debian with Python, trusting what this machine trusts."""
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    tag = f"{REGISTRY}/python:{digest([*PYTHON_PACKAGES, SUITE, certificates.read_text()])}"
    if not has(tag):
        bare = _rootfs("python", PYTHON_PACKAGES)
        with _context({"ca.crt": certificates}) as context:
            lines = [f"FROM {bare}", "COPY ca.crt /etc/ssl/certs/ca-certificates.crt"]
            _build(context, "\n".join([*lines, "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"]), tag)
    return tag


def postgres_image() -> str:
    """The tag of an image with PostgreSQL on PATH, where the official one cannot be pulled."""
    return _store_image("postgres", POSTGRES_PACKAGES, "ENV PATH=/usr/lib/postgresql/17/bin:/usr/bin:/bin")


def redis_image() -> str:
    """The tag of an image with Valkey on PATH, where the official one cannot be pulled."""
    return _store_image("valkey", REDIS_PACKAGES, "")


def _store_image(name: str, packages: tuple[str, ...], line: str) -> str:
    """The program runs under its number, which must have a name: initdb asks for it."""
    user = f"RUN groupmod -g {STORE_USER} {name} && usermod -u {STORE_USER} -g {STORE_USER} {name}"
    bare = _rootfs(name, packages)
    lines = [f"FROM {bare}", user, line, f"USER {STORE_USER}:{STORE_USER}"]
    tag = f"{name}:{digest([SUITE, *packages, *lines])}"
    return f"{REGISTRY}/{tag}" if has(f"{REGISTRY}/{tag}") else _image(tag, "\n".join(lines), {})


def _system_images() -> list[str]:
    _rootfs("rootfs", NODE_PACKAGES, tag=f"{REGISTRY}/rootfs:{SUITE}")
    version = f"v{toolchain.KUBERNETES}"
    programs = toolchain.kubernetes()
    control = "FROM scratch\nCOPY kubernetes /usr/local/bin/{0}\nENV PATH=/usr/local/bin\n"
    images = [
        _image(f"{name}:{version}", control.format(name), {"kubernetes": programs / "kubernetes"})
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    proxy = (
        f"FROM {REGISTRY}/rootfs:{SUITE}\nCOPY kubernetes /usr/local/bin/kube-proxy\n"
        "RUN update-alternatives --set iptables /usr/sbin/iptables-nft"
        " && update-alternatives --set ip6tables /usr/sbin/ip6tables-nft\n"
    )
    images.append(_image(f"kube-proxy:{version}", proxy, {"kubernetes": programs / "kubernetes"}))
    etcd = "FROM scratch\nCOPY etcd /usr/local/bin/etcd\nENV PATH=/usr/local/bin\n"
    images.append(_image(f"etcd:{ETCD}", etcd, {"etcd": toolchain.etcd()}))
    one = 'FROM scratch\nCOPY {0} /{0}\nENTRYPOINT ["/{0}"]\n'
    images.append(_image(f"pause:{PAUSE}", one.format("pause"), {"pause": toolchain.pause()}))
    images.append(_image(f"coredns:{COREDNS}", one.format("coredns"), {"coredns": toolchain.tool("coredns")}))
    provisioner = toolchain.tool("local-path-provisioner")
    storage = (
        f"FROM {REGISTRY}/rootfs:{SUITE}\nCOPY local-path-provisioner /usr/bin/local-path-provisioner\n"
        'ENTRYPOINT ["/usr/bin/local-path-provisioner"]\n'
    )
    images.append(_image("local-path-provisioner:v0.0.30", storage, {"local-path-provisioner": provisioner}))
    return images


def _write_storage(folder: Path) -> None:
    folder.mkdir()
    shutil.copy(HACK / "node" / "default-storage.yaml", folder / "default-storage.yaml")


def _import_into(bare: str, images: list[str], tag: str) -> None:
    say(f"loading {len(images)} system images into the node image")
    container = _docker("run", "-d", "--privileged", "--entrypoint", "sleep", bare, "infinity").strip()
    try:
        _docker("exec", "-d", container, "containerd")
        wait = "for i in $(seq 60); do ctr version >/dev/null 2>&1 && exit 0; sleep 1; done; exit 1"
        _docker("exec", container, "sh", "-c", wait)
        saved = subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE)
        load = "ctr -n k8s.io images import --no-unpack --all-platforms --digests -"
        into = ["docker", "exec", "-i", container, *load.split()]
        subprocess.run(into, stdin=saved.stdout, check=True, stdout=subprocess.DEVNULL)
        saved.wait()
        _docker("exec", container, "sh", "-c", "kill $(pidof containerd); while pidof containerd; do sleep 0.2; done")
        changes = ('ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]', "CMD []")
        _docker("commit", *(part for change in changes for part in ("--change", change)), container, tag)
    finally:
        _docker("rm", "-f", container)


def _rootfs(name: str, packages: tuple[str, ...], tag: str = "") -> str:
    tag = tag or f"{REGISTRY}/{name}:{SUITE}"

    def build(folder: Path) -> None:
        debian.ensure("mmdebstrap", "mmdebstrap")
        source = f"deb [signed-by={KEYRING}] {debian.mirror()} {SUITE} main"
        slim = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--keyring={KEYRING}", *slim]
        subprocess.run(
            [*command, f"--include={','.join(packages)}", SUITE, str(folder / "rootfs.tar"), source], check=True
        )

    folder = cached(f"rootfs-{name}", [SUITE, *packages], build, takes="1 min, 300 MB")
    if not has(tag):
        _docker("import", str(folder / "rootfs.tar"), tag)
    return tag


def _image(name: str, dockerfile: str, files: Mapping[str, Path]) -> str:
    tag = f"{REGISTRY}/{name}"
    with _context(files) as context:
        _build(context, dockerfile, tag)
    return tag


@contextmanager
def _context(files: Mapping[str, Path]) -> Iterator[Path]:
    """A build context with these files in it."""
    with tempfile.TemporaryDirectory(prefix="palio-image-") as folder:
        for name, path in files.items():
            shutil.copy(path, Path(folder) / name)
        yield Path(folder)


def _build(context: Path, dockerfile: str, tag: str) -> None:
    (context / "Dockerfile").write_text(dockerfile)
    _docker("build", "-q", "-t", tag, str(context))


def has(tag: str) -> bool:
    """Whether the Docker engine has that image."""
    return subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0


def _docker(*arguments: str) -> str:
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    done = subprocess.run(["docker", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"docker {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
