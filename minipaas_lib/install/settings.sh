# shellcheck shell=sh
# Part of install.sh: the global domain and the first key.

default_domain() {
    "$python" -IS - <<'END'
import ipaddress
import re
import socket

name = socket.getfqdn().lower().rstrip(".")
address = "127.0.0.1"
try:  # the address that a packet to the internet would come from; connecting a UDP socket sends none
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("1.1.1.1", 53))
        address = probe.getsockname()[0]
except OSError:
    pass
try:
    resolved = ipaddress.ip_address(socket.getaddrinfo(name, None)[0][4][0])
    usable = "." in name and not resolved.is_loopback and re.fullmatch(r"[a-z0-9.-]+\.[a-z][a-z0-9-]+", name)
except (OSError, ValueError):
    usable = False
if usable and name != "localhost.localdomain":
    print(name)
else:
    print(f"{address}.sslip.io")
END
}

global_domains() { "$link" domains:report --global --domains-global-vhosts 2>/dev/null || true; }

set_domain() {
    step "Global domain"
    present=$(global_domains)
    if [ -n "$domain" ]; then
        wanted=$domain
    elif [ -n "$present" ]; then
        wanted=$present
    else
        wanted=$(default_domain)
    fi
    if [ "$wanted" = "$present" ]; then
        info "$present"
    else
        quietly "$link" domains:set-global "$wanted" || die "The domain $wanted was not accepted."
        changed "apps answer at http://<app>.$wanted"
    fi
}

public_key() { # the first public key in FILE, without options
    kinds='ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp[0-9]+|sk-[a-z0-9@.-]+'
    grep -v '^[[:space:]]*#' "$1" | tr -d '\r' | tr -s '\t ' ' ' | grep -oE "($kinds) AAAA[A-Za-z0-9+/=]+( .*)?$" | head -n 1
}

check_key_file() {
    [ -r "$1" ] || die "The key file $1 cannot be read."
    ! grep -q 'PRIVATE KEY' "$1" || die "$1 is a private key; it stays with you." "Type: --key $1.pub"
    case $(od -An -N2 -tx1 "$1") in
        ' ff fe' | ' fe ff') die "$1 is UTF-16 text, as PowerShell writes it with >." "Save it as UTF-8; then run this again." ;;
    esac
    public_key "$1" | ssh-keygen -l -f - >/dev/null 2>&1 || die "$1 holds no SSH public key."
}

add_key() {
    step "SSH keys"
    if [ -n "$key" ]; then
        add_key_of "$key"
    elif grep -q . "$home/.ssh/authorized_keys"; then
        info "$(grep -c . "$home/.ssh/authorized_keys") in place"
    elif [ -t 0 ] && [ -s /root/.ssh/authorized_keys ] && [ -n "$(public_key /root/.ssh/authorized_keys)" ]; then
        printf '       Let the first key of /root/.ssh/authorized_keys use minipaas? [Y/n] '
        read -r answer || answer=n
        case $answer in '' | [Yy]*) add_key_of /root/.ssh/authorized_keys ;; *) say_how_to_add_a_key ;; esac
    else
        say_how_to_add_a_key
    fi
}

# The name for the public key on stdin: what its comment says, as far as names allow. `admin` where it says nobody's
# name: nothing at all, or only that root made it, which is what the local command line is called.
key_name() {
    said=$(cut -d' ' -f3- | tr -c 'A-Za-z0-9._@\n-' '-' | tr -s - | sed 's/^[._@-]*//' | cut -c 1-60 | sed 's/[._@-]*$//')
    case $said in
        '' | root | root@localhost | root@localhost.*) echo admin ;;
        *) echo "$said" ;;
    esac
}

add_key_of() {
    make_scratch
    public_key "$1" >"$scratch/key.pub"
    print=$(ssh-keygen -l -f "$scratch/key.pub" | cut -d' ' -f2)
    if "$link" ssh-keys:list 2>/dev/null | grep -qF "$print"; then
        info "$print is in place"
        return
    fi
    base=$(key_name <"$scratch/key.pub") name=$base number=1
    while "$link" ssh-keys:list "$name" >/dev/null 2>&1; do
        number=$((number + 1)) name=$base-$number
    done
    quietly "$link" ssh-keys:add "$name" "$scratch/key.pub" || die "The key was not added."
    changed "added $name ($print)"
}

say_how_to_add_a_key() {
    info "none yet; nobody can push. From your own machine type:"
    info "cat ~/.ssh/id_ed25519.pub | ssh root@<this host> minipaas ssh-keys:add admin -"
}
