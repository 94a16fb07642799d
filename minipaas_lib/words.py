"""The words of a command line, before the command is known."""


def command_first(argv: list[str]) -> list[str]:
    """The command line with the command first: `-a <app>` and --trace before it are moved behind it."""
    place = 0
    while place < len(argv) and is_before(argv[place]):
        place += 2 if argv[place] in ("-a", "--app") else 1
    return [argv[place], *argv[:place], *argv[place + 1 :]] if place < len(argv) else argv


def is_before(word: str) -> bool:
    """Whether the word may precede the command."""
    return word in ("-a", "--app", "--trace") or word.startswith("--app=") or (word.startswith("-a") and len(word) > 2)
