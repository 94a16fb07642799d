# shellcheck shell=sh
# Part of install.sh: docker and sshd run, now and after a boot.

docker_answers() { /usr/bin/docker version >/dev/null 2>&1; }
nginx_runs() { # the number in the file may be another process's after a hard stop
    [ -s /run/nginx.pid ] && [ "$(cat "/proc/$(cat /run/nginx.pid)/comm" 2>/dev/null)" = nginx ]
}
sshd_runs() { ssh-keyscan -T 3 -p "$(ssh_port)" localhost 2>/dev/null | grep -q .; }
ssh_port() { sshd -T 2>/dev/null | awk '$1 == "port" { print $2; exit }'; }

wait_for() { # wait_for SECONDS PROBE
    tries=$(($1 * 4))
    until "$2"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.25
    done
}

enable_at_boot() { # where there is systemd
    have_systemd || return 0
    systemctl is-enabled -q "$1" 2>/dev/null || systemctl enable -q "$1" 2>/dev/null || true
}

# forget_dead FILE NAME: remove a pid file whose process is not NAME. After a power cut the number may be somebody
# else's by now, and dockerd would refuse to start or wait for a containerd that is not there.
forget_dead() {
    number=$(cat "$1" 2>/dev/null) || return 0
    [ "$(cat "/proc/$number/comm" 2>/dev/null)" = "$2" ] || rm -f "$1"
}

start_docker() {
    step "Docker"
    enable_at_boot docker
    if docker_answers; then
        info "runs"
        return
    fi
    if have_systemd; then
        systemctl start docker || true
    else
        forget_dead /var/run/docker.pid dockerd
        forget_dead /var/run/docker/containerd/containerd.pid containerd
        setsid dockerd </dev/null >>"$dockerd_log" 2>&1 &
    fi
    wait_for 60 docker_answers || {
        if have_systemd; then journalctl -u docker -n 10 --no-pager >&2; else tail -n 10 "$dockerd_log" >&2; fi
        die "docker does not start; its last words are above."
    }
    changed "started"
}

# Through a crash of dockerd, a restart, an upgrade of its package. Docker is told, not restarted; see the helper.
keep_processes_running() {
    ! put "$live_restore" 0755 <"$here/minipaas_lib/install/live-restore" || changed "installed the helper that sets live-restore"
    status=0
    said=$("$live_restore" on) || status=$?
    case $status in 0) info "$said" ;; 3) changed "$said" ;; *) warn "$said" ;; esac
}

# Nothing needs it to serve: docker and nginx come up by themselves. It puts right what the reboot cut off.
restore_at_boot() {
    have_systemd || return 0
    if put "$restore_unit" 0644 <<END
[Unit]
Description=minipaas: finish or undo what was interrupted, start what should run
After=docker.service nginx.service

[Service]
Type=oneshot
ExecStart=$link ps:restore
# old processes are let go in the background, which goes on after the command
KillMode=process

[Install]
WantedBy=multi-user.target
END
    then
        systemctl daemon-reload
        changed "interrupted commands are put right at boot"
    fi
    enable_at_boot minipaas-restore
}

start_sshd() {
    step "The SSH server"
    enable_at_boot ssh
    mkdir -p /run/sshd
    ssh-keygen -A >/dev/null
    if sshd_runs; then
        info "listens on port $(ssh_port)"
    else
        if have_systemd; then systemctl start ssh; else /usr/sbin/sshd; fi
        wait_for 20 sshd_runs || die "sshd does not answer on port $(ssh_port)." "Type: sshd -t"
        changed "started on port $(ssh_port)"
    fi
}
