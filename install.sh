#!/bin/sh
# Install, upgrade or remove minipaas on this host. Run it again at any time: what is in place already is left alone.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
unset MINIPAAS_ROOT MINIPAAS_PROGRAM MINIPAAS_KEY

here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3            # the host's own, never a shim that happens to come first in PATH
root=/var/lib/minipaas
lib=/usr/local/lib/minipaas
link=/usr/local/bin/minipaas
user=paas
home=/home/paas
sudoers=/etc/sudoers.d/minipaas
include=/etc/nginx/conf.d/minipaas.conf
main_include=/etc/nginx/modules-enabled/99-minipaas.conf
stock_link=/etc/nginx/sites-enabled/default
stock_file=/etc/nginx/sites-available/default
stock_record=$lib/stock-default-disabled
shell_record=$lib/git-shell-added
restore_unit=/etc/systemd/system/minipaas-restore.service
dockerd_log=/var/log/minipaas-dockerd.log
live_restore=$lib/live-restore
guard=/run/minipaas-install.lock
unfinished=$lib/unfinished

domain='' key='' host_name='' demo=no uninstall=no purge=no yes=no zipapp='' changes=0 scratch='' shared_changed=no

usage() {
    cat <<'END'
Usage: sudo ./install.sh [options]          from a copied folder
       sudo ./minipaas.pyz install [options]  from the one file

  --domain DOMAIN  apps answer at <app>.DOMAIN (default: this host's full name, else <ip>.sslip.io)
  --key FILE       an SSH public key that may use the platform
  --host NAME      the name or address by which people reach this host; hints show it
  --demo           push a sample app over ssh and fetch its page through nginx
  --uninstall      stop every app and remove minipaas; the apps' data stays
  --purge          with --uninstall: remove the apps' data, their images and the user paas too
  --yes            with --uninstall: do not ask
  --help           show this
END
}

step() { printf -- '-----> %s\n' "$1"; }
info() { printf '       %s\n' "$1"; }
warn() { printf ' !     %s\n' "$1" >&2; }
die() { warn "$1"; [ $# -lt 2 ] || warn "$2"; exit 1; }
changed() { changes=$((changes + 1)); info "$1"; }
have_systemd() { [ -d /run/systemd/system ]; }

main() {
    options "$@"
    [ "$(id -u)" = 0 ] || die "minipaas is installed by root." "Type: sudo $0 $*"
    alone "$guard" work
}

work() {
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    if [ "$uninstall" = yes ]; then
        remove_everything
        return
    fi
    [ -z "$key" ] || check_key_file "$key"
    check_host
    ask_for_a_key
    exec </dev/null # what was pasted after the command is the shell's, not apt's or docker's
    install_packages
    begin
    build_zipapp
    make_user
    make_folders
    allow_sudo
    start_docker
    keep_processes_running
    start_sshd
    finish_and_switch
    restore_at_boot
    set_up_nginx
    restore_apps
    rm -f "$unfinished"
    set_domain
    add_key
    [ "$changes" != 0 ] || step "Everything was in place; nothing changed"
    [ "$demo" = no ] || run_demo
    last_words
}

options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --domain | --key | --host | --from-zipapp)
                [ -n "${2:-}" ] || { warn "$1 needs a value."; usage >&2; exit 2; }
                case $1 in --domain) domain=$2 ;; --key) key=$2 ;; --host) host_name=$2 ;; *) zipapp=$2 ;; esac
                shift
                ;;
            --demo) demo=yes ;;
            --uninstall) uninstall=yes ;;
            --purge) purge=yes ;;
            --yes) yes=yes ;;
            --help | -h) usage; exit 0 ;;
            *) warn "There is no option $1."; usage >&2; exit 2 ;;
        esac
        shift
    done
    case $host_name in *[!A-Za-z0-9.:-]*) warn "$host_name is no name or address of a host."; exit 2 ;; esac
    [ "$purge" = no ] || [ "$uninstall" = yes ] || { warn "--purge goes with --uninstall."; exit 2; }
}

clean_up() {
    [ -z "${demo_key:-}" ] || "$link" ssh-keys:remove "$demo_key" >/dev/null 2>&1 || true
    [ -z "$scratch" ] || rm -rf "$scratch"
    rm -f "$lib/.new.pyz"
}

make_scratch() { [ -n "$scratch" ] || scratch=$(mktemp -d); }

quietly() { # run a command; show what it says only if it fails
    make_scratch
    "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2; return 1; }
}

# put FILE MODE: write stdin there if it differs, by rename; says by its status whether it did. What cannot be written
# whole, as on a full disk, is not put there at all.
put() {
    temporary=$1.minipaas-new
    if ! { cat >"$temporary" && chmod "$2" "$temporary"; }; then
        rm -f "$temporary"
        [ "$uninstall" = no ] || return 1
        die "$1 cannot be written." "df -h $(dirname "$1")"
    fi
    if cmp -s "$temporary" "$1"; then
        rm -f "$temporary"
        return 1
    fi
    mv -f "$temporary" "$1"
}

# ---- the host

# A run that was killed leaves a note: what it changed, nginx may not have read, and what it was about to start is not
# told by what the next run changes.
begin() {
    mkdir -p "$lib"
    resumed=no
    [ ! -e "$unfinished" ] || resumed=yes
    : >"$unfinished"
}

missing_packages() {
    missing=
    [ -x /usr/sbin/nginx ] || missing="$missing nginx"
    [ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
    [ -x /usr/bin/ssh ] || missing="$missing openssh-client"
    [ -x /usr/bin/git-shell ] || missing="$missing git"
    [ -x /usr/bin/sudo ] || missing="$missing sudo"
    [ -x $python ] || missing="$missing python3"
    command -v dockerd >/dev/null || missing="$missing docker.io"
    [ -x /usr/sbin/logrotate ] || missing="$missing logrotate" # nginx's package has the rule for it
    [ -e /bin/busybox ] || missing="$missing busybox-static" # liveness checks run with it inside containers
    echo "$missing"
}

install_packages() {
    step "Packages"
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        changed "installing$missing"
        # shellcheck disable=SC2086 # a list of names
        apt_install $missing
    else
        info "all there"
    fi
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || # it was not there to be asked before
        die "minipaas needs Python 3.11 or newer as $python."
}

apt_install() {
    make_scratch
    log=$scratch/apt.log
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    # A new host is often busy with its own first updates: wait for their lock.
    apt-get -q -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 ||
        { cat "$log" >&2; die "apt-get update failed; its reason is above. Nothing was changed." "Mend it, see that apt-get update goes well, then run this again."; }
    case " $* " in
        *" docker.io "*) # newer releases split these off, and recommended packages are not installed
            for extra in docker-cli docker-buildx; do
                if apt-cache show "$extra" >/dev/null 2>&1; then set -- "$@" "$extra"; fi
            done
            ;;
    esac
    apt-get -q -s --no-install-recommends install "$@" >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; die "apt-get cannot install $*; its reason is above." "Type: apt-get install $*"; }
    apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "$@" >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; die "apt-get could not install $*" "Type: dpkg --configure -a; apt-get install $*"; }
}

# ---- the program

build_zipapp() {
    step "The program"
    mkdir -p "$lib"
    set --
    for old in "$zipapp" "$link" "$lib"/minipaas-*.pyz; do set -- "$@" --reuse "$old"; done
    if [ "$("$python" "$here/minipaas_lib/bundle.py" --check "$@")" = fetch ]; then
        "$python" -c 'import pip' 2>/dev/null || "$python" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
        info "fetching its libraries from PyPI"
    fi
    built=$("$python" "$here/minipaas_lib/bundle.py" --out "$lib/.new.pyz" "$@") ||
        die "The program could not be built."
    build=${built%% *}
    program=$lib/minipaas-$build.pyz
    if [ -f "$program" ]; then
        info "build $build is installed already"
    else
        mv -f "$lib/.new.pyz" "$program"
        changed "built $build for $("$python" -V)"
    fi
}

# The new program migrates the store and lets every plugin prepare the host; only then does it become the one in PATH.
finish_and_switch() {
    step "The store and the plugins"
    # the index of installed plugins is written for one version of Python, and checked by the new program
    [ ! -e "$root/plugins/index" ] || "$program" plugin:index || die "The index of plugins could not be written."
    shared=$(cat "$root"/nginx/*.conf 2>/dev/null | cksum)
    "$program" install:finish || die "The installation could not be finished; the sentence above says why."
    [ "$(cat "$root"/nginx/*.conf | cksum)" = "$shared" ] || shared_changed=yes # nginx reads them at its next reload
    before=$(readlink "$link" || true)
    if [ "$before" = "$program" ]; then
        info "$link is build $build already"
        return
    fi
    ln -sfn "$program" "$link.new"
    mv -fT "$link.new" "$link"
    changed "$link is build $build now"
    # lines of authorized_keys that the program before could not have read
    [ -z "$before" ] || "$program" install:finish || die "The installation could not be finished; the sentence above says why."
    for old in "$lib"/minipaas-*.pyz; do
        case $old in "$program" | "$before") ;; *) rm -f "$old" ;; esac
    done
}

# ---- the user and what it may do

make_user() {
    step "User $user"
    if id "$user" >/dev/null 2>&1; then
        info "exists"
    else
        getent group "$user" >/dev/null || groupadd "$user"
        useradd --gid "$user" --home-dir "$home" --no-create-home --shell /usr/bin/git-shell --comment minipaas "$user"
        changed "created, with git-shell as its shell"
    fi
    # No password fits `*`; `!` would also lock the account's keys where sshd does not use PAM.
    [ "$(getent shadow "$user" | cut -d: -f2)" = '*' ] || usermod --password '*' "$user"
    case " $(id -nG "$user") " in
        *" docker "*) ;;
        *) usermod --append --groups docker "$user" && changed "joined the group docker" ;;
    esac
    # Debian's group for reading logs, nginx's among them.
    case " $(id -nG "$user") " in
        *" adm "*) ;;
        *) usermod --append --groups adm "$user" && changed "joined the group adm" ;;
    esac
    if ! grep -qx /usr/bin/git-shell /etc/shells; then
        echo /usr/bin/git-shell >>/etc/shells
        : >"$shell_record"
        changed "added git-shell to /etc/shells"
    fi
    own 0750 "$home"
    own 0700 "$home/.ssh"
    own 0755 "$home/git-shell-commands"
    [ -f "$home/.ssh/authorized_keys" ] || install -m 0600 -o "$user" -g "$user" /dev/null "$home/.ssh/authorized_keys"
    [ -f "$home/.hushlogin" ] || install -m 0644 -o "$user" -g "$user" /dev/null "$home/.hushlogin"
    allowed=$home/git-shell-commands/minipaas
    [ "$(readlink "$allowed" || true)" = "$link" ] || ln -sfn "$link" "$allowed"
}

own() { # own MODE FOLDER: a folder of the user's
    [ "$(stat -c '%a %U' "$2" 2>/dev/null || true)" = "${1#0} $user" ] || install -d -m "$1" -o "$user" -g "$user" "$2"
}

# take_over FOLDER: with all in it, where it is not the user's: root tried the program before it was installed, or the
# user was removed and is another number now. chown changes the folder last, so a run that was killed is repeated.
take_over() {
    case $1 in "$root/plugins" | "$root/*") return ;; esac
    [ ! -L "$1" ] && [ "$(stat -c %U "$1")" != "$user" ] || return 0
    chown -hR "$user:$user" "$1"
}

make_folders() {
    # Root's, and sticky: paas makes its own folders here, and cannot put another in the place of root's.
    [ "$(stat -c '%a %U %G' "$root" 2>/dev/null || true)" = "1771 root $user" ] || install -d -m 1771 -o root -g "$user" "$root"
    for folder in "$root"/*/; do take_over "${folder%/}"; done
    for name in state repos locks output cache work plugin-data; do own 0700 "$root/$name"; done
    for name in nginx runtime; do own 0755 "$root/$name"; done
    ! foreign_plugins || die "$root/plugins is not root's, and was a moment ago."
    [ "$(stat -c %a "$root/plugins" 2>/dev/null || true)" = 755 ] || install -d -m 0755 -o root -g root "$root/plugins"
    # nginx fails on an include that is missing; the router fills it in
    [ -f "$root/nginx/main.conf" ] || install -m 0644 -o "$user" -g "$user" /dev/null "$root/nginx/main.conf"
}

allow_sudo() {
    step "Sudo"
    make_scratch
    ! put "$lib/build-memory" 0755 <"$here/minipaas_lib/install/build-memory" || changed "installed the helper that caps builds"
    ! put "$lib/remove-logs" 0755 <"$here/minipaas_lib/install/remove-logs" || changed "installed the helper that removes an app's logs"
    cat >"$scratch/sudoers" <<END
# minipaas tests and reloads nginx, caps the memory of builds, removes the logs of apps, reads the rules of the
# firewall, and does nothing else as root.
# Logs that nginx makes at a test belong to the group adm, as Debian's own.
Cmnd_Alias MINIPAAS = /usr/sbin/nginx -t -q, \\
    /usr/sbin/nginx -t -q -c $root/nginx/shadow/nginx.conf, \\
    /usr/sbin/nginx -s reload, \\
    $lib/build-memory cgroupfs [0-9]*, \\
    $lib/build-memory systemd [0-9]*, \\
    $lib/remove-logs [a-z0-9]*, \\
    /usr/sbin/nft -j list ruleset, \\
    /usr/sbin/iptables-nft-save "", \\
    /usr/sbin/iptables-legacy-save "", \\
    /usr/sbin/ip6tables-nft-save "", \\
    /usr/sbin/ip6tables-legacy-save ""
$user ALL=(root:adm) NOPASSWD: MINIPAAS
END
    visudo -c -q -f "$scratch/sudoers" || die "sudo does not accept minipaas's rule on this host."
    if cmp -s "$scratch/sudoers" "$sudoers"; then
        info "the rule is in place"
    else
        install -m 0440 "$scratch/sudoers" "$sudoers.new~" # sudo skips names with ~ or . until the rename
        mv -f "$sudoers.new~" "$sudoers"
        changed "$user may test and reload nginx, cap the memory of builds, remove apps' logs and read the firewall's rules"
    fi
    for place in "$root"/state/apps/*/; do # older versions let everybody read them
        for log in "/var/log/nginx/$(basename "$place")"-access.log "/var/log/nginx/$(basename "$place")"-error.log; do
            [ ! -f "$log" ] || { chgrp adm "$log" && chmod 0640 "$log"; }
        done
    done
}

# --uninstall removed the containers of the apps that it kept.
restore_apps() {
    { [ -n "$added" ] || [ "$resumed" = yes ]; } && [ -d "$root/state/apps" ] && [ -n "$(ls "$root/state/apps")" ] || return 0
    step "The apps that were here before"
    "$link" ps:restore || warn "Not every app is back; the sentence above says why."
}

# its parts; each on a line of its own, so that shellcheck reads them with this file
. "$here/minipaas_lib/install/alone.sh"
. "$here/minipaas_lib/install/preconditions.sh"
. "$here/minipaas_lib/install/daemons.sh"
. "$here/minipaas_lib/install/connections.sh"
. "$here/minipaas_lib/install/nginx.sh"
. "$here/minipaas_lib/install/settings.sh"
. "$here/minipaas_lib/install/ready.sh"
. "$here/minipaas_lib/install/demo.sh"
. "$here/minipaas_lib/install/remove.sh"

main "$@"
