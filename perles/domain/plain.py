"""Is it text? A file's name, a variable and an argument may be any bytes."""


def is_text(word: str) -> bool:
    """Whether the word is text that a database and JSON take: no bytes that are not UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
