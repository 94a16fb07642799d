# shellcheck shell=sh
# Part of install.sh: --demo pushes docs/sample-app to the app `demo` over ssh, as a user would, and fetches its page.

demo_marker='the minipaas sample app'

run_demo() {
    step "Demo: git push over ssh, then the page through nginx"
    make_scratch
    demo_key=demo-$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
    ssh-keygen -q -t ed25519 -N '' -C "$demo_key" -f "$scratch/demo"
    quietly "$link" ssh-keys:add "$demo_key" "$scratch/demo.pub" || die "The demo's key was not added."
    remote=ssh://$user@localhost:$(ssh_port)/demo
    GIT_SSH_COMMAND="ssh -F /dev/null -i $scratch/demo -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
-o StrictHostKeyChecking=no -o UserKnownHostsFile=$scratch/known_hosts -o LogLevel=ERROR"
    GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
    export GIT_SSH_COMMAND GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM
    demo_source "$scratch/app"
    stamp=$demo_key-$(date -u +%Y%m%dT%H%M%SZ)
    sed "s/@STAMP@/$stamp/" "$here/docs/sample-app/index.html" >"$scratch/app/index.html"
    demo_git add -A
    demo_git commit -q -m "Say hello: $stamp"
    demo_git push "$remote" HEAD:refs/heads/main || die "The demo's push failed; what it said is above."
    url=$("$link" url demo | head -n 1)
    demo_fetch "$url" "$stamp" || die "The demo's page did not come through nginx." "Type: minipaas doctor"
    quietly "$link" ssh-keys:remove "$demo_key" && demo_key=
    info "the app demo stays; to remove it type: minipaas apps:destroy demo --force"
}

demo_git() { git -C "$scratch/app" -c user.name=minipaas -c user.email=demo@localhost "$@"; }

# A clone of what an earlier demo pushed, else a new repository. Somebody's own app called demo is not touched.
demo_source() {
    if "$link" apps:exists demo >/dev/null 2>&1; then
        git clone -q "$remote" "$1" 2>/dev/null ||
            die "The app demo cannot be cloned." "Type: minipaas apps:destroy demo"
        if [ -n "$(ls "$1")" ] && ! grep -qF "$demo_marker" "$1/index.html" 2>/dev/null; then
            die "There is an app demo that is not $demo_marker; it is left alone." "Rename it, then run the demo again."
        fi
    else
        git init -q -b main "$1"
    fi
    cp -R "$here/docs/sample-app/." "$1/"
    static_busybox "$1/busybox"
}

# The image is made from nothing but a static busybox: no registry is needed. Debian's plain busybox is not static.
static_busybox() {
    if [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1; then
        cp /bin/busybox "$1"
        return
    fi
    info "downloading busybox-static (it is not installed)"
    (
        mkdir "$scratch/deb" && chmod 0777 "$scratch/deb" && cd "$scratch/deb"
        apt-get -q update && apt-get -q download busybox-static && dpkg-deb -x busybox-static_*.deb .
    ) >"$scratch/deb.log" 2>&1 || { cat "$scratch/deb.log" >&2; die "The demo needs busybox-static from Debian."; }
    cp "$(find "$scratch/deb" -path '*bin/busybox' -type f)" "$1"
}

demo_fetch() { # demo_fetch URL STAMP: show status and body as nginx answers on each local address
    "$python" -IS - "$1" "$2" <<'END'
import http.client
import os
import sys
import urllib.parse

url, stamp = sys.argv[1:]
parts = urllib.parse.urlsplit(url)
addresses = ["127.0.0.1"]
if os.path.exists("/proc/net/if_inet6") and "00000000000000000000000000000001" in open("/proc/net/if_inet6").read():
    addresses.append("::1")
good = True
for address in addresses:
    try:
        connection = http.client.HTTPConnection(address, parts.port or 80, timeout=15)
        connection.request("GET", "/", headers={"Host": parts.netloc})
        answer = connection.getresponse()
        status, body = answer.status, answer.read().decode(errors="replace")
    except OSError as error:
        status, body = str(error), ""
    print(f"       {url} through {address}: {status}", flush=True)
    good = good and status == 200 and stamp in body
print("".join(f"       | {line}\n" for line in body.splitlines()), end="")
sys.exit(not good)
END
}
