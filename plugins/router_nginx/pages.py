"""The pages that nginx itself answers with: by status, a title and a sentence in HTML."""

PAGES = {
    400: (
        "This request cannot be understood",
        "A header is malformed, or the headers are larger than this host takes.",
    ),
    404: (
        "There is no app at this address",
        (
            "No app on this host has this domain. If it is yours, add the domain to your app with "
            "<code>domains:add</code>."
        ),
    ),
    413: ("This is too large", "What was sent is larger than this app takes."),
    414: (
        "This address is too long",
        "The address and what follows its question mark are longer than this host takes.",
    ),
    500: ("This host cannot answer", "Something failed before the app was asked. Please try again in a moment."),
    502: ("This app does not answer", "The app was asked and did not answer. Please try again in a moment."),
    503: ("This app is not running", "It has no web process at the moment. Please try again later."),
    504: ("This app takes too long", "The app was asked, and no answer came in time. Please try again in a moment."),
}
OF_APPS = "400 413 414 500 502 504"  # what nginx says for an app that runs; the app's own error pages go through
NAMED = {  # where the status alone does not tell
    "not-deployed": (
        "This app is not deployed yet",
        "The address is an app's to which nothing has been deployed so far. If it is yours: <code>git push</code>.",
    ),
    "off": (
        "This app is switched off",
        "The app does not take requests at the moment. If it is yours: <code>proxy:enable</code>.",
    ),
    "other-port": (
        "This app does not answer on this port",
        "The address is an app's that answers on another port. If it is yours: <code>ports:list</code>.",
    ),
}
