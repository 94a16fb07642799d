# shellcheck shell=sh
# Part of install.sh: --uninstall undoes what install.sh did; without --purge the apps' data stays for a later install.

remove_everything() {
    ask_before_removing
    exec </dev/null
    step "Taking minipaas out of nginx"
    rm -f "$include" "$main_include"
    change_nginx_conf unmark_connections || true
    restore_stock_default
    if nginx_runs && nginx -t -q; then reload_nginx; fi
    remove_containers
    if [ -x "$live_restore" ]; then
        status=0
        said=$("$live_restore" off) || status=$?
        case $status in 0) ;; 3) info "$said" ;; *) warn "$said" ;; esac
    fi
    step "Removing the program"
    if [ -f "$restore_unit" ]; then
        systemctl disable -q minipaas-restore 2>/dev/null || true
        rm -f "$restore_unit"
        systemctl daemon-reload 2>/dev/null || true
    fi
    rm -f "$sudoers" "$link" "$home/git-shell-commands/minipaas"
    if [ -f "$shell_record" ]; then grep -vx /usr/bin/git-shell /etc/shells | put /etc/shells 0644 || true; fi
    if [ "$purge" = yes ]; then
        remove_data
    else
        leave_a_sentence
        info "kept: $root (the apps), the user $user and its keys; install.sh brings them back, --purge removes them"
    fi
    rm -rf "$lib"
    step "minipaas is gone; docker, nginx, git and the SSH server stay installed"
}

leave_a_sentence() { # for who still comes to the user that stays: git-shell alone says "unrecognized command"
    [ -d "$home/git-shell-commands" ] || return 0
    put "$home/git-shell-commands/minipaas" 0755 <<'END' || true
#!/bin/sh
echo ' !     minipaas was removed from this host, and no app runs here; what the apps were is kept' >&2
echo '       to have it back, on the host: sudo ./install.sh' >&2
exit 1
END
}

ask_before_removing() {
    [ "$yes" = no ] || return 0
    [ -t 0 ] || die "--uninstall asks first, and nobody is there to answer." "Add --yes to go on without a question."
    if [ "$purge" = yes ]; then
        printf ' !     This stops every app and deletes its data, images and keys. Type "purge" to go on: '
        wanted=purge
    else
        printf ' !     This stops every app; its data stays. Type "uninstall" to go on: '
        wanted=uninstall
    fi
    read -r answer || answer=
    [ "$answer" = "$wanted" ] || die "Nothing was changed."
}

remove_containers() {
    step "Removing the apps' containers"
    if ! docker_answers; then
        warn "docker does not answer; its containers with the label minipaas.app stay."
        return
    fi
    network=$("$python" -IS - "$root/state/platform.toml" <<'END'
import sys
import tomllib

try:
    with open(sys.argv[1], "rb") as file:
        print(tomllib.load(file).get("network", {}).get("name", "minipaas"))
except (OSError, tomllib.TOMLDecodeError):
    print("minipaas")
END
    )
    count=0
    for label in minipaas.app minipaas.run; do
        for container in $(docker ps -aq --filter "label=$label" --filter "network=$network"); do
            docker rm -f "$container" >/dev/null && count=$((count + 1))
        done
    done
    info "$count removed"
    docker network rm "$network" >/dev/null 2>&1 || true # not there, if no app was ever deployed
    [ "$purge" = no ] || remove_images
}

remove_images() {
    for place in "$root"/state/apps/*/ "$root"/state/trash/*.toml; do
        app=$(basename "$place")
        for image in $(docker images -q --filter "label=minipaas.app=${app%%.*}" | sort -u); do
            docker rmi -f "$image" >/dev/null || true
        done
    done
}

remove_data() {
    rm -rf "$root"
    turn=0
    until userdel "$user" 2>/dev/null; do # a process of ours may be ending just now
        turn=$((turn + 1))
        [ "$turn" -le 20 ] || { warn "the user $user is still logged in and was not removed; type: userdel $user"; break; }
        sleep 0.5
    done
    rm -rf "$home"
    info "removed the apps' data and the user $user"
}
