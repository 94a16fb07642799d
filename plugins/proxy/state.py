"""What the app's document says of its proxy: `[proxy] enabled = false`, or nothing."""


def enabled(app) -> bool:
    return app.table("proxy").get("enabled", True) is not False


def rows(app) -> dict:
    return {"proxy-enabled": enabled(app)}


def set_enabled(document, wanted: bool) -> None:
    """Change the data of a document."""
    if wanted:
        document.pop("proxy", None)
    else:
        document["proxy"] = {"enabled": False}
