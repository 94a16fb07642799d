"""The scripts for a user's shell. Pure.

The list of commands is in the script, for it seldom changes; all else is asked for with each TAB, in one call.
"""

# A word is sent in single quotes, as both a shell and shlex read it.
_SEND = """\
NAME() {
  local word line= quote="'" escaped="'\\\\''" tty=
  for word in "$@"; do line="$line '${word//$quote/$escaped}'"; done
  case "$1" in run|enter) if [ -t 0 ] && [ -t 1 ]; then tty=-t; fi ;; esac
  ssh ${tty:+-t} 'TARGET' "${line# }"
}
_FUNCTION_ask() {
  local word line="completion:words --" quote="'" escaped="'\\\\''"
  for word in "$@"; do line="$line '${word//$quote/$escaped}'"; done
  ssh -o BatchMode=yes -o ConnectTimeout=5 'TARGET' "$line" 2>/dev/null </dev/null
}
"""
_HERE = """\
_FUNCTION_ask() {
  NAME completion:words -- "$@" 2>/dev/null </dev/null
}
"""
# bash takes a word apart at : and =, and wants only what follows the last of them.
_BASH = """\
_FUNCTION_complete() {
  local line="${COMP_LINE:0:COMP_POINT}" current prefix one
  local -a words found
  read -ra words <<< "$line"
  case "$line" in *[[:space:]]) words+=("") ;; esac
  current="${words[${#words[@]}-1]}"
  prefix="${current%"${current##*[:=]}"}"
  COMPREPLY=()
  if [ "${#words[@]}" -le 2 ]; then
    for one in $_FUNCTION_commands; do
      case "$one" in "$current"*) COMPREPLY+=("${one#"$prefix"}") ;; esac
    done
  else
    while IFS= read -r one; do COMPREPLY+=("${one#"$prefix"}"); done < <(_FUNCTION_ask "${words[@]:1}")
  fi
}
complete -F _FUNCTION_complete NAME
"""
_ZSH = """\
_FUNCTION_complete() {
  local -a found
  if (( CURRENT == 2 )); then
    found=(${=_FUNCTION_commands})
  else
    found=("${(@f)$(_FUNCTION_ask "${(@Q)words[2,CURRENT]}")}")
  fi
  found=(${found:#})
  compadd -a found
}
compdef _FUNCTION_complete NAME
"""


def script(shell: str, name: str, target: str, commands: list[str]) -> str:
    """The script for `bash` or `zsh`: it completes the command `name`, which it defines where `target` is given."""
    text = (
        (_SEND if target else _HERE)
        + f"_FUNCTION_commands='{' '.join(commands)}'\n"
        + {"bash": _BASH, "zsh": _ZSH}[shell]
    )
    text = text.replace("TARGET", target).replace("_FUNCTION", "_" + name.replace("-", "_")).replace("NAME", name)
    return f"# Completion of {name} for {shell}, by: completion {shell}\n{text}".rstrip("\n")
