"""The image of minipaas that nodes run: this program, Python, nginx, and busybox for liveness checks.

A node itself needs neither.
"""

from minipaas_lib import api

BASE = "debian:12-slim"
REPOSITORY = "minipaas-node"
CURRENT = REPOSITORY + ":current"  # on each node the one that its router and agent run when they start next
# What a first start unpacks, by a command that needs it: not again for each process that a container of this starts.
_UNPACK = "RUN mkdir -p /var/lib/minipaas && minipaas node:agent --serve --help >/dev/null"
_PACKAGES = "busybox-static ca-certificates nginx-light python3"


def dockerfile(base: str) -> str:
    """The Dockerfile; packages that `base` has already are not asked for."""
    return f"""\
FROM {base}
RUN {{ command -v python3 && command -v nginx && command -v busybox; }} >/dev/null \\
 || {{ apt-get update -qq && apt-get install -y -qq --no-install-recommends {_PACKAGES} \\
 && rm -rf /var/lib/apt/lists/*; }}
RUN rm -f /etc/nginx/sites-enabled/default \\
 && echo 'include /var/lib/minipaas/nginx/main.conf;' >/etc/nginx/conf.d/minipaas.conf \\
 && printf 'worker_shutdown_timeout 1h;\\nworker_rlimit_nofile 20000;\\n' \
>/etc/nginx/modules-enabled/99-minipaas.conf \\
 && sed -i -E 's/(worker_connections[[:space:]]+)[0-9]+;/\\18192;/' /etc/nginx/nginx.conf
COPY minipaas /usr/local/bin/minipaas
{_UNPACK}
COPY cluster.toml /var/lib/minipaas/cluster.toml
ENTRYPOINT ["/usr/local/bin/minipaas"]
"""


def cluster_file(cluster: "api.kernel.cluster.ClusterSettings", fleet: str) -> str:
    """The cluster.toml of a node: the same etcd, and fleet's API as the node itself reaches it."""
    api.activate()
    import tomlkit

    table = {"etcd": list(cluster.etcd), "fleet": fleet, "ca": cluster.ca, "cert": cluster.cert, "key": cluster.key}
    return tomlkit.dumps({name: value for name, value in table.items() if value})
