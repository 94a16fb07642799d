# shellcheck shell=sh
# Part of install.sh: the global domain and the first key.

# default_domain: the host's full name where that leads here from the internet, else a name of sslip.io for its address.
default_domain() {
    "$python" -ISB - "$here" <<'END'
import ipaddress
import re
import socket
import sys

sys.path.insert(0, sys.argv[1])
from minipaas_lib import address

name = socket.getfqdn().lower().rstrip(".")
try:
    resolved = ipaddress.ip_address(socket.getaddrinfo(name, None)[0][4][0])
    usable = resolved.is_global and re.fullmatch(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]+", name)
except (OSError, ValueError):
    usable = False
own = address.own_address() or "127.0.0.1"
dashed = ipaddress.ip_address(own).exploded.replace(":", "-") if ":" in own else own  # no name may end in a dash
print(name if usable else f"{dashed}.sslip.io")
END
}

# reach_of DOMAIN: `loopback` or `private` where its name says an address that the internet does not reach.
reach_of() {
    "$python" -IS - "$1" <<'END'
import ipaddress
import sys

name = sys.argv[1].removesuffix(".sslip.io").removesuffix(".nip.io")
for text in (name, name.replace("-", "."), name.replace("-", ":")):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        continue
    print("loopback" if address.is_loopback else "" if address.is_global else "private")
    break
END
}

say_who_reaches() { # say_who_reaches DOMAIN, where nobody chose it
    case $(reach_of "$1") in
        loopback)
            warn "This host has no route to the internet, so its apps answer at <app>.$1, which leads each machine to itself."
            warn "    Once others can reach it, type: minipaas domains:set-global <your domain>"
            ;;
        private)
            warn "Apps answer at <app>.$1, a private address: only this host's own network reaches it."
            warn "    With a public address in front of it type: minipaas domains:set-global <public address>.sslip.io"
            warn "    or, better, a domain of yours that leads there (--domain says it to install.sh)."
            ;;
    esac
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
    [ -n "$domain" ] || say_who_reaches "$wanted"
    if [ -n "$host_name" ] && echo "$host_name" | put "$root/host-name" 0644; then
        changed "hints name this host $host_name"
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

# Lines that somebody pasted after the command wait for the shell; none of them is an answer.
nothing_pasted() {
    perl -e 'vec($r = "", 0, 1) = 1; exit(select($r, undef, undef, 0) ? 1 : 0)'
}

# A file of keys of root, or of the person behind sudo; nothing where there is none.
offered_keys() {
    person=$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)
    for file in "$person/.ssh/authorized_keys" /root/.ssh/authorized_keys; do
        if [ -s "$file" ] && [ -n "$(public_key "$file")" ]; then echo "$file" && return; fi
    done
}

has_keys() { grep -qs . "$home/.ssh/authorized_keys"; }

# The one question comes before the first change; what follows needs nobody.
ask_for_a_key() {
    [ -z "$key" ] && ! has_keys && [ -t 0 ] || return 0
    offered=$(offered_keys)
    [ -n "$offered" ] && nothing_pasted || return 0
    printf '       Let the first key of %s use minipaas? [Y/n] ' "$offered"
    read -r answer || answer=n
    case $answer in '' | [Yy] | [Yy][Ee][Ss]) key=$offered ;; esac
}

add_key() {
    step "SSH keys"
    if [ -n "$key" ]; then
        add_key_of "$key"
    elif has_keys; then
        info "$(grep -c . "$home/.ssh/authorized_keys") in place"
    else
        info "none yet"
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
