"""TAB in a user's shell, over a real ssh."""

import shlex
import subprocess


def test_a_shell_completes_over_ssh(host, app, tmp_path):
    host.ssh("apps:create", app)
    script = host.ssh("completion", "bash", "--to", "paas@127.0.0.1").stdout
    (tmp_path / "script").write_text(script)
    real = shlex.join(host.ssh_command()[1:])
    code = f"""
ssh() {{ command ssh {real} "$@"; }}
. {tmp_path}/script
try() {{ COMP_LINE="$1" COMP_POINT=${{#1}}; _paas_complete; printf '%s ' "${{COMPREPLY[@]}}"; echo; }}
try "paas apps:cre"
try "paas apps:destroy --force {app[:5]}"
try "paas apps:list --format="
paas config:set {app} "GREETING=it's me"
paas config:get {app} GREETING
"""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["create"] and app in lines[1].split() and lines[2].split() == ["stdout", "json"], done
    assert lines[-1] == "it's me", done
    assert host.ssh("completion", "bash", ok=False).returncode == 2
