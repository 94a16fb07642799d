# shellcheck shell=sh
# Part of install.sh: all that could stop it later is looked at before the first change, and each fault is said with
# the command that mends it. What only may go wrong is a warning.

faults=0
tcp_tables='/proc/net/tcp /proc/net/tcp6'
tab=$(printf '\t')

fault() { # fault SENTENCE COMMAND
    faults=$((faults + 1))
    warn "$1"
    warn "    Type: $2"
}

check_host() {
    step "This host"
    make_scratch
    check_system
    check_python
    check_room
    check_docker
    check_web_ports
    check_ssh_port
    if [ -x /usr/sbin/nginx ]; then check_nginx; fi
    check_user
    check_folders
    [ "$faults" = 0 ] || die "Nothing was changed. Mend what is said above, then run this again."
    check_firewall
    info "has what minipaas needs"
}

installed_before() { [ -L "$link" ] && [ -e "$link" ]; }

check_system() {
    id=unknown version=
    if [ -r /etc/os-release ]; then
        # shellcheck source=/dev/null # it is another one on each host
        id=$(. /etc/os-release && echo "${ID:-unknown}")
        # shellcheck source=/dev/null # as above
        version=$(. /etc/os-release && echo "${VERSION_ID:-}")
    fi
    case $id-$version in
        debian-12 | debian-13 | ubuntu-24.04) ;;
        *) warn "minipaas is tested on Debian 12 and 13 and Ubuntu 24.04; this is $id $version, going on." ;;
    esac
    command -v apt-get >/dev/null ||
        die "minipaas needs apt-get to install docker, nginx and git, and this is $id $version. Nothing was changed." \
            "Take a host with Debian 12 or 13 or Ubuntu 24.04."
    architecture=$(dpkg --print-architecture)
    case $architecture in # the packages' own, not the kernel's: a 64-bit kernel may have a 32-bit system on it
        amd64 | arm64) ;;
        armel | armhf | i386) fault "This is a 32-bit system ($architecture); minipaas needs one of 64 bits (amd64 or arm64)." "dpkg --print-architecture" ;;
        *) warn "minipaas is tested on amd64 and arm64; this is $architecture, going on." ;;
    esac
    broken=$(dpkg --audit 2>/dev/null | grep -c '^ ' || true)
    [ "$broken" = 0 ] || [ -z "$(missing_packages)" ] || fault "Packages of this host are half installed, so that apt-get installs no others." "dpkg --configure -a && apt-get -f install"
}

check_python() {
    if [ -x "$python" ]; then
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
            fault "minipaas needs Python 3.11 or newer as $python; that is $("$python" -V 2>&1)." \
                "apt-get update && apt-get install python3, or take a newer release of $id"
    fi
}

# room FOLDER MEGABYTES FOR: a fault where the file system of the folder has less, or no inodes.
room() {
    place=$1
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    free=$(df -Pm "$place" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$2" ] || fault "$1 has $free MB free; $3 needs $2 MB." "df -h $place; apt-get clean"
    inodes=$(df -Pi "$place" 2>/dev/null | awk 'NR == 2 && $2 > 0 { print $4 }')
    case $inodes in
        '' | *[!0-9]*) ;;
        *) [ "$inodes" -ge 5000 ] || fault "$1 has room for $inodes more files; $3 needs 5000." "df -i $place; du --inodes -xs $place" ;;
    esac
    [ -w "$place" ] ||
        fault "$place cannot be written." "mount -o remount,rw $(df -P "$place" | awk 'NR == 2 { print $6 }')"
}

check_room() {
    if installed_before && command -v dockerd >/dev/null; then
        room "$lib" 200 "an upgrade"
        room "$root" 50 "an upgrade"
    else
        room /usr 1200 "an installation with docker"
        room /var/lib 500 "an installation with docker"
        room "$lib" 200 "the program"
    fi
    room /etc 5 "the configuration"
    room "${TMPDIR:-/tmp}" 100 "making the program"
    memory=$(awk '$1 == "MemTotal:" || $1 == "SwapTotal:" { sum += $2 } END { print int(sum / 1024) }' /proc/meminfo)
    [ "$memory" -ge 400 ] && return
    text="This host has $memory MB of memory and swap; docker, nginx and one small app need 400 MB."
    more='fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile'
    if installed_before; then warn "$text"; else fault "$text" "$more"; fi
}

# minipaas calls /usr/bin/docker and the daemon behind the usual socket.
check_docker() {
    snap=$(snap list docker 2>/dev/null | awk '$1 == "docker"' || true)
    if [ -n "$snap" ] && ! command -v dockerd >/dev/null; then
        fault "docker is installed as a snap, which cannot be used with Debian's beside it." "snap remove --purge docker"
    elif [ -e /usr/bin/docker ] && grep -qsa 'podman' /usr/bin/docker && [ "$(head -c 2 /usr/bin/docker)" = '#!' ]; then
        fault "/usr/bin/docker is podman's, which does not do all that minipaas asks of docker." "apt-get remove podman-docker"
    elif command -v dockerd >/dev/null && [ ! -x /usr/bin/docker ]; then
        client=$(command -v docker || true)
        if [ -n "$client" ]; then
            fault "docker is at $client, and minipaas calls /usr/bin/docker." "ln -s $client /usr/bin/docker"
        else
            fault "There is $(command -v dockerd) but no docker client." "apt-get install docker-cli"
        fi
    fi
}

# ---- who has the ports

listeners() { # listeners PORT TABLE...: the inodes of sockets that listen on that TCP port; one address is enough to be in the way
    port=$1
    shift
    cat "$@" 2>/dev/null | awk -v wanted="$(printf '%04X' "$port")" '
        $4 == "0A" { n = split($2, part, ":"); if (part[n] == wanted) print $10 }' | sort -u
}

holder() { # holder INODE: the process that has the socket
    place=$(find /proc/[0-9]*/fd -lname "socket:\[$1\]" -print -quit 2>/dev/null || true)
    place=${place#/proc/}
    echo "${place%%/*}"
}

unit_of() { # the service of systemd that a process belongs to
    sed -n 's,^[^/]*/.*/\([^/]*\.service\)$,\1,p; s,^[^/]*/\([^/]*\.service\)$,\1,p' "/proc/$1/cgroup" 2>/dev/null | head -n 1
}

container_of() { # the docker container that a process belongs to, where it is not the one that we are in ourselves
    found=$(sed -n 's,.*docker[-/]\([0-9a-f]\{12\}\).*,\1,p' "/proc/$1/cgroup" 2>/dev/null | head -n 1)
    [ -z "$found" ] || grep -q "$found" /proc/self/cgroup || echo "$found"
}

# is_ours PID ALLOWED: whether it is one of these programs of this host itself, and none of a container or of /opt.
is_ours() {
    name=$(cat "/proc/$1/comm" 2>/dev/null || true)
    case " $2 " in *" $name "*) ;; *) return 1 ;; esac
    [ "$1" = 1 ] && return
    # shellcheck disable=SC3013 # Debian's sh, which is dash, has -ef
    [ "/proc/$1/root" -ef / ] || return 1
    case $(readlink "/proc/$1/exe") in /usr/sbin/* | /usr/lib/* | /lib/* | /usr/bin/*) ;; *) return 1 ;; esac
}

socket_unit() { # the socket of systemd that listens on that port
    systemctl list-sockets --no-legend 2>/dev/null | awk -v port="$1" '
        $1 == port || $1 ~ ":" port "$" { for (i = 2; i <= NF; i++) if ($i ~ /\.socket$/) { print $i; exit } }'
}

published() { # the containers that docker publishes at that port
    names=$(timeout 10 docker ps --filter "publish=$1" --format '{{.Names}}' 2>/dev/null | tr '\n' ' ' || true)
    echo "${names% }"
}

# how_to_end PID NAME PORT: the command.
how_to_end() {
    container=$(container_of "$1")
    unit=$(unit_of "$1")
    if [ "$2" = docker-proxy ]; then
        names=$(published "$3")
        echo "docker update --restart no ${names:-<container>} && docker stop ${names:-<container>}"
    elif [ -n "$container" ]; then
        echo "docker update --restart no $container && docker stop $container"
    elif [ "$2" = systemd ]; then
        unit=$(socket_unit "$3")
        echo "systemctl disable --now ${unit:-<its socket>}"
    else
        case $unit in
            '' | ssh.service | docker.service | containerd.service | user@*) echo "kill $1" ;;
            *) echo "systemctl disable --now ${unit%.service}" ;;
        esac
    fi
}

# taken PORT ALLOWED: say who else listens there, and the command that ends it, as `sentence<TAB>command`.
taken() {
    # shellcheck disable=SC2086 # a list of files
    for inode in $(listeners "$1" $tcp_tables); do
        pid=$(holder "$inode")
        [ -n "$pid" ] || continue # of another namespace, or it has just ended
        if is_ours "$pid" "$2"; then continue; fi
        name=$(cat "/proc/$pid/comm" 2>/dev/null || true)
        printf '%s (pid %s) listens on port %s\t%s\n' "$name" "$pid" "$1" "$(how_to_end "$pid" "$name" "$1")"
        return
    done
}

check_web_ports() {
    line=$(taken 80 nginx)
    [ -z "$line" ] || fault "${line%%"$tab"*}, where minipaas's nginx answers for all apps." "${line#*"$tab"}"
    if [ -z "$line" ] && [ -n "$(published 80)" ]; then # without docker-proxy nobody listens, and requests go there
        fault "docker publishes port 80 for $(published 80), where minipaas's nginx answers for all apps." "$(how_to_end 0 docker-proxy 80)"
    fi
    former=$line
    line=$(taken 443 nginx)
    if [ -n "$line" ] && [ "${line#*"$tab"}" != "${former#*"$tab"}" ]; then
        warn "${line%%"$tab"*}, where nginx would answer over HTTPS; to end it type: ${line#*"$tab"}"
    fi
    check_servers_at_boot
}

# name, its configuration, and how that says port 80
web_servers='apache2 /etc/apache2/ports.conf ^[[:space:]]*Listen[[:space:]]+([^[:space:]]*:)?80([[:space:]]|$)
lighttpd /etc/lighttpd/lighttpd.conf ^[[:space:]]*server\.port[[:space:]]*=[[:space:]]*80([^0-9]|$)
caddy /etc/caddy/Caddyfile ^[^#]*:80([^0-9]|$)
haproxy /etc/haproxy/haproxy.cfg ^[[:space:]]*bind[[:space:]]+[^[:space:]]*:80([[:space:]]|$)
varnish /lib/systemd/system/varnish.service -a[[:space:]]+[^[:space:]]*:80([^0-9]|$)
tomcat10 /etc/tomcat10/server.xml port="80"
openresty /etc/openresty/nginx.conf ^[[:space:]]*listen[[:space:]]+([^;]*:)?80[^0-9]
traefik /etc/traefik/traefik.yml :80([^0-9]|$)'

# What does not run now and starts at the next boot would take the port before nginx, or from it.
check_servers_at_boot() {
    have_systemd || return 0
    while read -r name file pattern; do
        [ "$(systemctl is-enabled "$name" 2>/dev/null)" = enabled ] || continue
        if systemctl is-active -q "$name"; then continue; fi
        if grep -qsE -e "$pattern" "$file"; then
            fault "$name does not run, but systemd starts it at boot, and it takes port 80 ($file)." "systemctl disable $name"
        fi
    done <<END
$web_servers
END
}

check_ssh_port() {
    line=$(taken "$(ssh_port_wanted)" 'sshd systemd sshd-session')
    [ -z "$line" ] || fault "${line%%"$tab"*}, where sshd must answer for pushes." "${line#*"$tab"}"
}

# ---- what somebody left here before

check_user() {
    id "$user" >/dev/null 2>&1 || return 0
    case $(getent passwd "$user" | cut -d: -f6-7) in
        "$home:/usr/bin/git-shell") ;;
        *) fault "There is a user $user that minipaas did not make; minipaas's has the home $home and the shell /usr/bin/git-shell." \
            "usermod --login $user-before $user, or: usermod --home $home --shell /usr/bin/git-shell $user" ;;
    esac
}

check_folders() {
    if [ -e "$link" ] && [ ! -L "$link" ]; then
        fault "$link is a file that minipaas did not put there." "mv $link $link.before"
    fi
    if foreign_plugins; then
        fault "$root/plugins is not root's, and what lies in it would run on this host. Look into it first." \
            "chown -R root:root $root/plugins or, to do without it: rm -rf $root/plugins"
    fi
}

# What paas runs as code, paas cannot change. A folder that was not root's is not made so: who knows what is in it.
foreign_plugins() {
    [ -L "$root/plugins" ] || { [ -e "$root/plugins" ] && [ "$(stat -c %U "$root/plugins")" != root ]; }
}

# ---- who is let in

closed_ports() { # closed_ports PORT...: lines `sentence<TAB>command` for those that the firewall lets nobody in by
    [ -x "$python" ] || return 0
    "$python" -ISBc 'import sys; sys.path.insert(0, sys.argv[1]); from minipaas_lib import firewall; sys.exit(firewall.program(sys.argv[2:]))' \
        "$here" "$@" || true
}

check_firewall() {
    closed_ports "$(ssh_port_wanted)" 80 >"$scratch/closed"
    while IFS=$tab read -r sentence command; do
        warn "$sentence; to let them in type: $command"
    done <"$scratch/closed"
}

ssh_port_wanted() {
    port=$(ssh_port)
    echo "${port:-22}"
}
