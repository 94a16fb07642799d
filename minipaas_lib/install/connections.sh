# shellcheck shell=sh
# Part of install.sh: how many connections a worker of nginx may have. Debian's 768, one client uses up.

connections=8192 # each costs half a kilobyte of memory; one with a half-sent request about 6
open_files=20000 # connections, answers that wait on disk, and the logs of apps
nginx_conf=/etc/nginx/nginx.conf

# nginx.conf, stdin to stdout, with more connections, if that is fewer now: the number stands in events {}, and nginx
# refuses a second one elsewhere.
mark_connections() {
    awk -v wanted="$connections" '
        /^[ \t]*worker_connections[ \t]+[0-9]+;[ \t]*(#.*)?$/ {
            rest = $0
            sub(/^[ \t]*worker_connections[ \t]+/, "", rest)
            head = substr($0, 1, length($0) - length(rest))
            match(rest, /^[0-9]+/)
            number = substr(rest, 1, RLENGTH)
            if (number + 0 < wanted) $0 = head wanted "; # minipaas, was: " number substr(rest, RLENGTH + 1)
        }
        { print }'
}

# The same file as it was before.
unmark_connections() {
    sed -E 's/^([[:space:]]*worker_connections[[:space:]]+)[0-9]+; # minipaas, was: ([0-9]+;)/\1\2/'
}

enough_connections() {
    number=$(sed -nE 's/^[[:space:]]*worker_connections[[:space:]]+([0-9]+);.*/\1/p' "$nginx_conf" | head -n 1)
    [ "${number:-0}" -ge "$connections" ]
}

# change_nginx_conf COMMAND: let the command change nginx.conf; says by its status whether it did. A command that was
# ended before the last line changes nothing.
change_nginx_conf() {
    file=$(readlink -f "$nginx_conf")
    [ -f "$file" ] || return 1
    make_scratch
    "$1" <"$file" >"$scratch/nginx.conf" && [ "$(grep -c '' "$file")" = "$(grep -c '' "$scratch/nginx.conf")" ] || return 1
    put "$file" "$(stat -c %a "$file")" <"$scratch/nginx.conf"
}

raise_connections() { unmark_connections | mark_connections; }

# As many files as nginx may have open here: where root cannot raise its own limit, nginx cannot either.
possible_files() {
    # shellcheck disable=SC3045 # Debian's sh, which is dash, has both options
    if (ulimit -n "$open_files") 2>/dev/null; then echo "$open_files"; else ulimit -Hn; fi
}

# Whether another file of nginx's than ours says a directive of the main context; from the output of nginx -T.
said_elsewhere() {
    awk -v ours="$main_include" '/^# configuration file / { file = $4; sub(/:$/, "", file); next } file != ours' \
        <"$scratch/nginx" | grep -q "^[[:space:]]*$1[[:space:]]"
}

main_lines() {
    # Old workers end when their last connection does, but not later: app A's deploy must not cut app B's WebSocket.
    said_elsewhere worker_shutdown_timeout || echo 'worker_shutdown_timeout 1h;'
    said_elsewhere worker_rlimit_nofile || echo "worker_rlimit_nofile $(possible_files);"
}
