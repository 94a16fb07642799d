#!/bin/sh
# Runs the buildpacks of an app one after the other: inside the build container, as the app's user.
# /minipaas/build holds: packs/NN (the buildpacks), names/NN, env (the app's config, one file each), settings (variables
# of builds), perhaps ca.pem; what is found out goes to out/.
if [ -z "${BASH_VERSION-}" ] && command -v bash >/dev/null 2>&1; then
    exec bash "$0" "$@"
fi
here=/minipaas/build
build=/app
cache=/minipaas/cache

limit=60 # seconds for a bin/detect, and for a bin/release

bounded() { # COMMAND...: ends it, and what it began, when it takes longer, where the stack image can do that
    if command -v timeout >/dev/null 2>&1; then
        timeout -s KILL "$limit" "$@"
    else
        "$@"
    fi
}

refuse() { # WHY...
    printf '%s' "$*" >"$here/out/reason"
    exit 1
}

for file in "$here"/settings/*; do
    [ -f "$file" ] || continue
    value=$(cat "$file" && printf x)
    export "${file##*/}=${value%x}"
done
if [ -f "$here/ca.pem" ]; then
    for name in SSL_CERT_FILE REQUESTS_CA_BUNDLE PIP_CERT CURL_CA_BUNDLE GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS npm_config_cafile; do
        export "$name=$here/ca.pem"
    done
fi

cd "$build" || exit 1
for pack in "$here"/packs/*; do
    number=${pack##*/}
    name=$(cat "$here/names/$number")
    [ -f "$pack/bin/compile" ] || refuse "$name is no buildpack: it has no bin/compile"
    if [ -f "$pack/bin/detect" ]; then
        { bounded "$pack/bin/detect" "$build" </dev/null 2>&1; printf '%s' $? >"$here/out/status"; } | head -c 4096 >"$here/out/said"
        case $(cat "$here/out/status") in
            0) echo "-----> $(head -n 1 "$here/out/said" | cut -c 1-100) app detected ($name)" ;;
            124 | 137 | 143) refuse "bin/detect of $name took more than $limit seconds" ;;
            *)
                cat "$here/out/said"
                refuse "$name is not for this app, says its bin/detect"
                ;;
        esac
    fi
    (exec "$pack/bin/compile" "$build" "$cache" "$here/env" </dev/null 2>&1)
    status=$?
    [ "$status" = 0 ] || refuse "bin/compile of $name ended with exit code $status"
    if [ -f "$pack/bin/release" ]; then
        { bounded "$pack/bin/release" "$build" </dev/null; printf '%s' $? >"$here/out/status"; } 2>/dev/null | head -c 65537 >"$here/out/release.$number"
        [ "$(cat "$here/out/status")" = 0 ] || refuse "bin/release of $name failed or took more than $limit seconds"
    fi
    if [ -f "$pack/export" ]; then
        # shellcheck source=/dev/null # the buildpack's own
        . "$pack/export"
    fi
    cd "$build" || exit 1
done
echo whole >"$here/out/done"
