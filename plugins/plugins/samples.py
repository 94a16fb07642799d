"""Arguments for hooks as a real app would give them, to try a plugin with."""

from minipaas_lib import api

APP = "sample"
COMMIT = "5a4e1b" + "0" * 34
IMAGE = "sha256:" + "ab" * 32
DOCUMENT = {
    "created": "2026-01-02T03:04:05Z",
    "creator": "anna",
    "config": {"COLOUR": "blue", "EMPTY": ""},
    "formation": {"web": 2},
    "domains": {"names": ["sample.example.org"]},
}


def app(name: str = APP, document: dict | None = None):
    return api.App(name, DOCUMENT if document is None else document)


def build():
    return api.Build(IMAGE, "dockerfile", {"web": "serve", "worker": "work --all"}, 5000, ())


def release(number: int = 2, of: str = APP):
    return api.Release(
        app=of,
        number=number,
        image=IMAGE,
        created="2026-01-02T03:05:06Z",
        author="anna",
        reason="git push",
        status="released",
        commit=COMMIT,
        builder="dockerfile",
        commands={"web": "serve", "worker": "work --all"},
        config={"COLOUR": "blue"},
        formation={"web": 2, "worker": 0},
        processes=number,
        routing={"domains": ["sample.example.org"]},
    )


def process():
    return api.Process(
        name=f"{APP}_v2.web.1",
        app=APP,
        release=2,
        process_type="web",
        index=1,
        id="id-1",
        address="127.0.0.1",
        port=5000,
        state="running",
        started="2026-01-02T03:05:07Z",
        adopted=True,
    )


def route():
    listener = api.Listener("http", 80, 5000)
    return api.Route(APP, "v2", ("sample.example.org",), (listener,), (api.Backend("127.0.0.1"),))


def cases(hook: str, context: str) -> list[tuple[str, dict]]:
    """Calls of a hook: what is special about each, and its arguments. `context` is a folder with a source tree."""
    fresh = app(document={"created": "2026-01-02T03:04:05Z", "creator": "anna"})
    whole, first, second = app(), release(1), release(2)
    told: dict[str, list[tuple[str, dict]]] = {
        "app_created": [("", {"app": fresh})],
        "app_renamed": [("", {"app": whole, "former": "before"})],
        "before_clone": [
            ("", {"app": whole, "name": "copy"}),
            ("an app never deployed", {"app": fresh, "name": "copy"}),
        ],
        "app_destroyed": [
            ("", {"app": whole}),
            ("a second time", {"app": whole}),
            ("an app never deployed", {"app": fresh}),
        ],
        "before_config": [
            ("", {"app": whole, "names": ["COLOUR"], "config": {"COLOUR": "red"}}),
            ("the global config", {"app": None, "names": ["COLOUR"], "config": {}}),
        ],
        "config_changed": [
            ("", {"app": whole, "names": ["COLOUR"]}),
            ("the global config", {"app": None, "names": ["COLOUR"]}),
        ],
        "detect_builder": [("", {"app": whole, "context": context})],
        "before_build": [("", {"app": whole, "context": context, "commit": COMMIT})],
        "build_image": [
            (
                "another's builder",
                {"app": whole, "builder": "no-such-builder", "context": context, "commit": COMMIT, "release": 2},
            )
        ],
        "after_build": [("", {"app": whole, "build": build(), "commit": COMMIT})],
        "release_environment": [
            ("", {"app": whole, "build": build(), "commit": COMMIT}),
            ("no commit", {"app": fresh, "build": build(), "commit": ""}),
        ],
        "container_options": [
            ("web", {"app": whole, "process_type": "web"}),
            ("worker", {"app": fresh, "process_type": "worker"}),
        ],
        "before_deploy": [
            ("the first release", {"app": whole, "release": first, "previous": None}),
            ("", {"app": whole, "release": second, "previous": first}),
        ],
        "check_process": [("", {"app": whole, "release": second, "process": process()})],
        "deploy_failed": [("", {"app": whole, "release": second, "previous": first, "reason": "web.1 exited with 1"})],
        "domains_changed": [
            ("", {"app": whole, "domains": ["sample.example.org", "*.sample.test"]}),
            ("none left", {"app": whole, "domains": []}),
        ],
        "route_context": [("", {"app": whole, "commit": COMMIT}), ("no commit", {"app": fresh, "commit": ""})],
        "route_changed": [("", {"app": whole, "route": route()}), ("taken away", {"app": whole, "route": None})],
        "authorize": [
            ("", {"key": "anna", "command": "config:set", "app": APP}),
            ("no app", {"key": "anna", "command": "apps:list", "app": ""}),
            ("a push", {"key": "anna", "command": "git-receive-pack", "app": APP}),
        ],
        "images_unused": [("", {"app": whole, "kept": {IMAGE}, "newest": 2})],
        "report": [("", {"app": whole}), ("an app never deployed", {"app": fresh})],
        "doctor": [("", {"app": whole}), ("the host", {"app": None})],
        "installed": [("", {}), ("a second time", {})],
    }
    told["after_deploy"] = told["before_deploy"]
    if hook in told:
        return told[hook]
    known = {
        "app": whole,
        "release": second,
        "previous": first,
        "context": context,
        "commit": COMMIT,
        "build": build(),
        "process": process(),
        "route": route(),
    }
    return [("", {name: known.get(name) for name in api.kernel.manifest.hook_arguments(hook)})]
