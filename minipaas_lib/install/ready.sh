# shellcheck shell=sh
# Part of install.sh: its last words. "Ready" is only said where somebody can push and somebody can look.

lacks=0

lack() { # lack SENTENCE COMMAND
    [ "$lacks" != 0 ] || step "Installed, but not ready yet"
    lacks=$((lacks + 1))
    warn "$1"
    warn "    Type: $2"
}

# sshd_setting NAME: what sshd_config says for the user, in lower case, with blanks between words.
sshd_setting() {
    sshd -T -C "user=$user,host=localhost,addr=127.0.0.1" 2>/dev/null | tr '[:upper:]' '[:lower:]' |
        sed -n "s/^$1 //p" | tr '\n' ' '
}

# names_user PATTERNS NAME...: whether one of sshd's patterns is one of the names.
names_user() {
    patterns=$1 fits=1
    shift
    set -f
    for pattern in $patterns; do
        for name; do
            # shellcheck disable=SC2254 # it is a pattern
            case $name in ${pattern%%@*}) fits=0 ;; esac
        done
    done
    set +f
    return $fits
}

look_at_sshd() {
    change='change it in /etc/ssh/sshd_config or a file of /etc/ssh/sshd_config.d; then: systemctl reload ssh'
    case $(sshd_setting pubkeyauthentication) in
        no*) lack "sshd_config has PubkeyAuthentication no, so nobody can push." "$change" ;;
    esac
    for kind in Users Groups; do
        names=$user
        [ "$kind" = Users ] || names=$(id -nG "$user" 2>/dev/null || true)
        allowed=$(sshd_setting "allow$(echo $kind | tr UG ug)") denied=$(sshd_setting "deny$(echo $kind | tr UG ug)")
        # shellcheck disable=SC2086 # a list of names
        [ -z "$allowed" ] || names_user "$allowed" $names || lack "sshd_config has Allow$kind without $user, so nobody can push." "$change"
        # shellcheck disable=SC2086 # a list of names
        if [ -n "$denied" ] && names_user "$denied" $names; then lack "sshd_config has Deny$kind with $user, so nobody can push." "$change"; fi
    done
}

last_words() {
    has_keys || lack "No key may use minipaas, so nobody can push." \
        "$(address_filled "cat ~/.ssh/id_ed25519.pub | ssh root@<host> minipaas ssh-keys:add admin -"), on your own machine"
    look_at_sshd
    closed_ports "$(ssh_port_wanted)" 80 >"$scratch/closed"
    while IFS=$tab read -r sentence command; do
        lack "$sentence." "$command"
    done <"$scratch/closed"
    if [ "$lacks" = 0 ]; then step "Ready"; else info "and then:"; fi
    info "$(address_filled "ssh $user@<host> apps:create blog")"
    info "$(address_filled "git remote add paas $user@<host>:blog && git push paas main")"
}

address_filled() { # the hint with this host's name or address in it
    "$python" -ISBc 'import sys; sys.path.insert(0, sys.argv[1]); from minipaas_lib import address; print(address.fill(sys.argv[2]))' "$here" "$1"
}
