"""What is to be built and how: the docker client's arguments and environment. Pure."""

import os
import re
from dataclasses import dataclass, field

from minipaas_lib import api
from plugins.builder_dockerfile import frontend, namespace, settings
from plugins.builder_dockerfile.client import Client

CA_SECRET = "minipaas-ca"
"""The id of the BuildKit secret with the certificates of builder:set; no config variable can have that name."""
_SECRET_VARIABLE = "MINIPAAS_SECRET_"
_SHORTEST_HIDDEN = 6  # characters; hiding shorter ones would make the output unreadable and protect nothing


@dataclass(frozen=True)
class Job:
    """One build. Values of arguments and secrets never stand in the client's argv; they go through its environment."""

    app: str
    number: int  # of the release
    commit: str
    context: str  # the folder
    path: str = settings.DEFAULT_PATH  # of the Dockerfile in it
    dockerfile: bytes = b""  # what it holds
    namespace: str = ""  # of its cache mounts
    target: str = ""  # the stage; empty: the last
    args: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    ca: str = ""  # certificates in PEM
    no_cache: bool = False
    timeout: int = settings.TIMEOUT  # seconds
    docker_config: str = ""  # a folder with the credentials of registries that FROM may need

    @property
    def tag(self) -> str:
        return f"minipaas/{self.app}:v{self.number}"

    @property
    def text(self) -> str:
        return self.dockerfile.decode("utf-8", "replace")

    @property
    def source(self) -> frontend.Source:
        """The Dockerfile as docker gets it."""
        return frontend.guarded(self.dockerfile)


def job_of(app, context: str, commit: str, number: int, dockerfile: bytes) -> Job:
    """The build that an app's settings ask for. Raises errors.BuildFailed for a secret that its config has not."""
    config, more = api.merged_config(app), api.build_settings(app)
    absent = [name for name in settings.secrets(app) if name not in config]
    if absent:
        said = f"{app.name} has no config {absent[0]}, which builder-dockerfile:set names as a secret of its builds"
        raise api.errors.BuildFailed(
            said, f"config:set {app.name} {absent[0]}=..., or: builder-dockerfile:set {app.name} secrets"
        )
    args = {name: value for name, value in more["environment"].items() if not settings.steers(name)}
    args |= {name: config[name] for name in settings.build_args(app) if name in config and not settings.steers(name)}
    return Job(
        app=app.name,
        number=number,
        commit=commit,
        context=context,
        path=settings.dockerfile_path(app),
        dockerfile=dockerfile,
        namespace=namespace.of(app),
        target=settings.target(app),
        args=args,
        secrets={name: config[name] for name in settings.secrets(app)},
        ca=more["ca"],
        no_cache=settings.no_cache(app),
        timeout=settings.timeout(app),
        docker_config=api.call_first("docker_config", app=app) or "",
    )


def check(client: Client, job: Job) -> None:
    """Raises errors.BuildFailed for what only BuildKit can do, where the client cannot use it."""
    if client.buildkit:
        return
    api.repository.read_file(job.context, ".dockerignore", 1 << 20)  # such a client itself would follow a link
    api.output.warn("no docker client here can use BuildKit: building with the classic builder")
    if job.ca:
        api.output.warn("it cannot give the certificates of builder:set to the build")
    if job.secrets:
        said = "secrets of builds need BuildKit, which no docker client on this host can use"
        raise api.errors.BuildFailed(
            said, f"apt-get install docker-buildx-plugin, or: builder-dockerfile:set {job.app} secrets"
        )


def command_line(client: Client, job: Job, scratch: str) -> list[str]:
    """The arguments of the docker client; `scratch` is a folder for what it writes and reads beside the context.

    The tag is given to the image when all of it is done, so a build that ends early leaves none.
    """
    command = [client.path, *(["--config", job.docker_config] if job.docker_config else []), "build"]
    command += ["--progress=plain"] if client.buildkit else ["--force-rm"]
    command += ["--tag", job.tag, "--iidfile", image_file(scratch), "--file", dockerfile(scratch, job)]
    command += ["--label", f"minipaas.app={job.app}", "--label", f"minipaas.commit={job.commit}"]
    command += ["--target", job.target] if job.target else []
    command += ["--no-cache"] if job.no_cache else []
    for name in sorted(job.args):
        command += ["--build-arg", name]
    if client.buildkit:
        command += ["--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={job.namespace}"]
        command += ["--build-arg", f"BUILDKIT_SYNTAX={job.source.syntax}"] if job.source.syntax else []
        for index, name in enumerate(sorted(job.secrets)):
            command += ["--secret", f"id={name},env={_SECRET_VARIABLE}{index}"]
        command += ["--secret", f"id={CA_SECRET},src={ca_file(scratch)}"] if job.ca else []
    return [*command, job.context]


def environment(client: Client, job: Job) -> dict[str, str]:
    """The environment of the docker client: ours without what steers builds, and the values of arguments and secrets.

    A secret travels under a name of ours, because its own (such as DOCKER_HOST) could steer the client.
    """
    steering = ("GIT_", "BUILDKIT_", "DOCKER_BUILDKIT")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(steering)}
    hidden = {f"{_SECRET_VARIABLE}{index}": job.secrets[name] for index, name in enumerate(sorted(job.secrets))}
    return {
        **kept,
        "DOCKER_BUILDKIT": "1" if client.buildkit else "0",
        "DOCKER_CLI_HINTS": "false",
        **job.args,
        **hidden,
    }


def hider(job: Job):
    """A function str -> str that hides secrets in a line of output, and passwords of proxies and registries."""
    words = {line.strip() for value in job.secrets.values() for line in value.split("\n")}
    for value in job.args.values():
        words |= set(re.findall(r"//([^/@\s]+)@", value))
    found = sorted((word for word in words if len(word) >= _SHORTEST_HIDDEN), key=len, reverse=True)
    if not found:
        return lambda line: line
    pattern = re.compile("|".join(map(re.escape, found)))
    return lambda line: pattern.sub("***", line)


def image_file(scratch: str) -> str:
    """The file to which the docker client writes the ID of the image."""
    return os.path.join(scratch, "image")


def dockerfile(scratch: str, job: Job) -> str:
    """The Dockerfile that docker reads. It has the repository's name for it, which docker's messages repeat."""
    return os.path.join(scratch, "dockerfile", os.path.basename(job.path))


def ca_file(scratch: str) -> str:
    return os.path.join(scratch, "ca.pem")
