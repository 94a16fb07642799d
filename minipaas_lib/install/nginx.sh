# shellcheck shell=sh
# Part of install.sh: nginx serves our folder, and nothing else claims what we need.

is_stock_default() { # Debian's own file, unchanged since it was installed
    [ -L "$stock_link" ] && [ "$(readlink -f "$stock_link")" = "$stock_file" ] || return 1
    known=$(dpkg-query -W -f='${Conffiles}\n' nginx-common 2>/dev/null | awk -v f="$stock_file" '$1 == f { print $2 }')
    [ -n "$known" ] && [ "$(md5sum "$stock_file" | cut -d' ' -f1)" = "$known" ]
}

# What an earlier administrator set up, looked at before the first change.
check_nginx() {
    nginx -T >"$scratch/nginx" 2>"$scratch/nginx-errors" || {
        cat "$scratch/nginx-errors" >&2
        fault "nginx's configuration has the error above; minipaas leaves it to you." "nginx -t, and mend what it says"
        return
    }
    for file in $(default_servers <"$scratch/nginx" | grep -v "^$root/" | sort -u); do
        if [ "$file" = "$stock_link" ] && is_stock_default; then continue; fi
        fault "$file already claims default_server on port 80, which minipaas needs." \
            "sed -i --follow-symlinks 's/ default_server//' $file && nginx -t && systemctl reload nginx"
    done
}

default_servers() { # from the output of nginx -T: the files that claim default_server on port 80 of every address
    awk '/^# configuration file / { file = $4; sub(/:$/, "", file); next }
        { sub(/#.*/, "") }
        /(^|[ \t{;])listen[ \t]+(\*:|0\.0\.0\.0:|\[::\]:)?80[ \t][^;]*default_server/ { print file }'
}

reload_nginx() { nginx -s reload 2>/dev/null || die "nginx cannot be reloaded." "Type: nginx -t"; }

set_up_nginx() {
    step "nginx"
    reload=$shared_changed added=
    [ "$resumed" = no ] || reload=yes
    nginx -T >"$scratch/nginx" 2>/dev/null || true
    # First, so that a kill here leaves a configuration that nginx accepts.
    if is_stock_default; then
        readlink "$stock_link" >"$stock_record"
        rm -f "$stock_link"
        changed "disabled Debian's stock default site ($stock_link)"
        reload=yes
    fi
    if echo "include $root/nginx/main.conf; # by minipaas's install.sh" | put "$include" 0644; then
        changed "included $root/nginx/main.conf"
        added=$include
        reload=yes
    fi
    for file in "$nginx_conf" "$main_include"; do # what goes back where nginx does not accept the rest
        [ ! -f "$file" ] || cp -p "$file" "$scratch/before-$(basename "$file")"
    done
    if grep -q '^[[:space:]]*include[[:space:]]*/etc/nginx/modules-enabled/\*.conf' "$nginx_conf"; then
        lines=$(main_lines)
        if [ -n "$lines" ] && echo "$lines" | put "$main_include" 0644; then
            changed "old workers may finish for an hour, and have $(possible_files) files open ($main_include)"
            reload=yes
        fi
    fi
    if change_nginx_conf raise_connections; then
        changed "a worker may have $connections connections (a line of $nginx_conf)"
        reload=yes
    fi
    enough_connections || warn "One client can use up nginx's connections. In events {} of $nginx_conf say: worker_connections $connections;"
    if ! nginx -t -q 2>"$scratch/nginx-errors"; then
        cat "$scratch/nginx-errors" >&2
        if [ -n "$added" ]; then
            rm -f "$added"
            restore_stock_default
        fi
        rm -f "$main_include"
        for file in "$nginx_conf" "$main_include"; do
            [ ! -f "$scratch/before-$(basename "$file")" ] || cp -p "$scratch/before-$(basename "$file")" "$file"
        done
        die "nginx does not accept its configuration with minipaas's in it; what this run added was taken out again."
    fi
    enable_at_boot nginx
    if ! nginx_runs; then
        if have_systemd; then systemctl start nginx; else nginx; fi
        wait_for 10 nginx_runs || die "nginx does not start." "Type: nginx -t"
        changed "started"
    elif [ "$reload" = yes ]; then
        reload_nginx
    else
        info "runs, with minipaas's configuration"
    fi
}

restore_stock_default() {
    [ -f "$stock_record" ] || return 0
    [ -e "$stock_link" ] || ln -s "$(cat "$stock_record")" "$stock_link"
    rm -f "$stock_record"
}
