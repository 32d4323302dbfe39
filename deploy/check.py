"""All of this folder that can be checked where no container engine runs; for root, on Linux.

    python deploy/check.py            # what is written here
    python deploy/check.py ROOT       # and the image, from a minimal Debian in the folder ROOT

It is made by: debootstrap --variant=minbase --include=python3-venv,python3-pip,ca-certificates trixie ROOT

The steps of the Dockerfile are carried out in copies of ROOT, in place of its base image; the server is run
from the result as the image would be: by its user, without capabilities, with a root file system that is
read-only, in a network of its own. What the base image itself and a container engine do is not checked.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CONTEXT = HERE.parent


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each with its words."""
    lines = [line for line in (HERE / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in whole.splitlines() if line)
    ]


def run(*command: str, stdin: str | None = None) -> None:
    print("+", shlex.join(command)[:150], flush=True)
    subprocess.run(command, check=True, text=True, input=stdin)


def check_what_is_written() -> None:
    """Each file by the program that knows it, where that is installed."""
    import compose_spec

    compose = compose_spec.PyCompose.from_yaml((HERE / "compose.yaml").read_text())
    compose.validate()
    compose.to_spec()
    print("compose.yaml: valid,", ", ".join(compose.service_names()))
    with tempfile.TemporaryDirectory() as folder:
        # The program is elsewhere here.
        unit = Path(folder, "activelab.service")
        written = (HERE / "activelab.service").read_text()
        unit.write_text(written.replace("/opt/activelab/bin/activelab", sys.executable))
        for command in (
            ["hadolint", str(HERE / "Dockerfile")],
            [
                "env",
                "SITE=label.example.org",
                "caddy",
                "validate",
                "--adapter",
                "caddyfile",
                "--config",
                str(HERE / "Caddyfile"),
            ],
            ["systemd-analyze", "verify", str(unit)],
        ):
            program = command[2] if command[0] == "env" else command[0]
            if shutil.which(program):
                run(*command)
            else:
                print(f"NOT RUN: {program} is not installed")


class Stage:
    """A stage of the build: a root file system, and what the instructions say of it."""

    def __init__(self, base: Path, root: Path) -> None:
        self.root, self.folder, self.env = root, "/", {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.said: dict[str, str] = {}
        run("cp", "--archive", "--reflink=auto", str(base), str(root))
        for name in ("python", "pip"):  # as the base image calls them
            (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{name}3")
        for path in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
            shutil.copyfile(path, root / path[1:])

    def inside(self, path: str) -> Path:
        return self.root / os.path.normpath(os.path.join(self.folder, path))[1:]

    def shell(self, command: str) -> None:
        """RUN: as root, in the file system of the stage."""
        words = ["env", "-i", *(f"{name}={value}" for name, value in self.env.items())]
        words += [
            f"{name}={value}" for name, value in os.environ.items() if name in ("PIP_CERT", "https_proxy")
        ]
        words += ["sh", "-ec", f"cd {self.folder} && {command}"]
        run(
            "unshare", "--mount", "--pid", "--fork", "sh", "-ec",
            f"mount -t proc proc {self.root}/proc; mount --rbind /dev {self.root}/dev; "
            f"exec chroot {self.root} {shlex.join(words)}",
        )  # fmt: skip


def build(base: Path, work: Path) -> Stage:
    """Carry the Dockerfile out; its last stage."""
    stages: dict[str, Stage] = {}
    stage = None
    for word, rest in instructions():
        words = rest.split()
        if word == "FROM":
            name = words[2] if "AS" in words else str(len(stages))
            stage = stages[name] = Stage(base, work / name)
            continue
        assert stage is not None
        if word == "RUN":
            stage.shell(rest)
        elif word == "WORKDIR":
            stage.folder = rest
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            for pair in words:
                name, _, value = pair.partition("=")
                stage.env[name] = value.replace("$PATH", stage.env["PATH"])
        elif word == "COPY":
            source = CONTEXT
            if words[0].startswith("--from="):
                source = stages[words.pop(0).removeprefix("--from=")].root
            *files, target = words
            for one in files:
                into = stage.inside(target) / Path(one).name if target == "./" else stage.inside(target)
                run("cp", "--archive", f"{source}/{one.lstrip('/')}", str(into))
        else:
            stage.said[word] = rest
    assert stage is not None
    return stage


def serve(stage: Stage, work: Path) -> None:
    """Run the server as the image would be, and look at it."""
    user, group = stage.said["USER"].split(":")
    volumes = json.loads(stage.said["VOLUME"])
    # Above this file system nobody but root may look.
    work.chmod(0o711)
    mounts = []
    for path in volumes:
        folder = work / f"volume{path.replace('/', '-')}"
        owner = (stage.root / path[1:]).stat()
        folder.mkdir()
        os.chown(folder, owner.st_uid, owner.st_gid)
        mounts.append(f"mount --bind {folder} $root{path}")
    variables = shlex.join(f"{name}={value}" for name, value in stage.env.items())
    entry, command = (json.loads(stage.said[word]) for word in ("ENTRYPOINT", "CMD"))
    health = json.loads(stage.said["HEALTHCHECK"].partition("CMD ")[2])
    inside = shlex.quote(
        f"""
        set -eu
        cd {stage.folder}
        test "$(id -u)" = {user}
        if touch /opt/activelab/x /x 2>/dev/null; then echo "the root can be written"; exit 1; fi
        for tool in gcc make cc; do if command -v $tool; then echo "a build tool is left"; exit 1; fi; done
        if python -c 'import pip' 2>/dev/null; then echo "pip is left"; exit 1; fi
        {shlex.join(entry)} init --classes cat,dog
        printf 'id,text\\n1,some text\\n2,another\\n' > /tmp/texts.csv
        {shlex.join(entry)} import /tmp/texts.csv
        {shlex.join([*entry, *command])} --backup-folder /backups &
        for i in $(seq 60); do if {shlex.join(health)} 2>/dev/null; then break; fi; sleep 1; done
        {shlex.join(health)}
        python -c '{_LOOK}'
        ls -l /data /backups
        pg_dump --version
        kill -TERM $! && wait $!
        echo "stopped with status $?"
        """
    )
    run(
        "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-ec",
        f"""
        root={stage.root}
        ip link set lo up
        mount --bind $root $root
        mount -t proc proc $root/proc; mount --rbind /dev $root/dev; mount -t tmpfs tmpfs $root/tmp
        {'; '.join(mounts)}
        mount -o remount,ro,bind $root
        exec chroot $root env -i HOME=/data {variables} setpriv --reuid={user} --regid={group} \
          --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all sh -c {inside}
        """,
    )  # fmt: skip
    run("du", "--summarize", "--human-readable", str(stage.root / "opt/activelab"), str(stage.root))


_LOOK = """
import json, urllib.request as r
ready = json.load(r.urlopen("http://127.0.0.1:8080/readyz"))
assert ready["ready"], ready
assert b"Log in" in r.urlopen("http://127.0.0.1:8080/login").read()
print("served:", ready)
"""


def main() -> None:
    check_what_is_written()
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory(prefix="image-") as folder:
            serve(build(Path(sys.argv[1]), Path(folder)), Path(folder))
    print("all well")


if __name__ == "__main__":
    main()
