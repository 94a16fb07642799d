#!/bin/sh
# Start a command of an app the Heroku way: source what its buildpacks and its repository say in .profile.d and
# .profile, then become the command. A line of a Procfile comes as `/bin/sh -c <line>` and is given to bash.
if [ -z "${BASH_VERSION-}" ] && command -v bash >/dev/null 2>&1; then
    exec bash "$0" "$@"
fi
export HOME=/app
cd /app || exit 126
for file in /app/.profile.d/*.sh /app/.profile; do
    # shellcheck source=/dev/null # the app's own
    [ -r "$file" ] && . "$file"
done
unset file
[ $# -gt 0 ] || set -- sh
if [ -n "${BASH_VERSION-}" ] && [ $# -eq 3 ] && [ "$1 $2" = "/bin/sh -c" ]; then
    exec bash -c "$3"
fi
exec "$@"
