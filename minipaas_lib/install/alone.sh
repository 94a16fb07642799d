# shellcheck shell=sh
# Part of install.sh: one at a time.

# alone FILE FUNCTION: run it while nobody else runs one under that file. The shell moves the lock out of the way of
# whatever it starts, daemons among it: only this shell holds it, however it ends.
alone() {
    [ -e "$1" ] || (umask 077 && : >>"$1")
    exec 9<"$1"
    flock -n 9 || { warn "Another install.sh is running on this host."; warn "Wait for it to end, then type this again."; exit 75; }
    "$2" 9<&-
}
