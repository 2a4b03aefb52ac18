"""Texts made safe to show on a terminal, in Markdown and in a shell (Jinja escapes HTML)."""

import re
import shlex
import unicodedata
from collections.abc import Iterable

LONGEST = 300  # characters of a name or reason on a page

# Control, format (among them those that reverse the reading direction), surrogate, private and unassigned characters.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


_SPACES = re.compile(r"[^\S\u202f\xa0]+")  # all but those that hold a number and its unit together


def plain(text: object, longest: int | None = LONGEST) -> str:
    r"""Return one line of printable text of `longest` characters at most; what does not print is shown by its code.

    >>> plain("a\tb\n c"), plain("\x1b[31mred\u202e"), plain("é 漢 🙂")
    ('a b c', '\\x1b[31mred\\u202e', 'é 漢 🙂')
    """
    line = _SPACES.sub(" ", str(text)).strip()[:longest]
    return line if line.isascii() and line.isprintable() else "".join(map(_printable, line))


def bound(text: str) -> str:
    r"""Bind each percent sign to its number, so that no line ends between them.

    >>> bound("(2.0× to 2.1×, 95 %)")
    '(2.0× to 2.1×, 95\u202f%)'
    """
    return re.sub(r"(?<=\d) %", "\u202f%", text)


def printable(text: object) -> str:
    r"""Return text of several lines, spaces and length kept; what does not print is shown by its code.

    >>> printable("f(\n    x\x1b,\n)")
    'f(\n    x\\x1b,\n)'
    """
    return "".join(character if character == "\n" else _printable(character) for character in str(text))


def _printable(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    return character.encode("unicode_escape").decode("ascii")


def escaped_markdown(text: object, longest: int | None = LONGEST) -> str:
    r"""Return text that Markdown shows as it is: a mark that could mean something becomes an entity.

    Addresses do not become links and nobody is mentioned; an underscore within a word means nothing, and stays.

    >>> escaped_markdown("a|b `c` <d> num_workers")
    'a&#124;b &#96;c&#96; &#60;d&#62; num_workers'
    >>> escaped_markdown("@team: http://x.y") == "&#64;\u2060team: http:&#47;&#47;x.y"
    True
    """
    return _MARKS.sub(_entity, plain(text, longest)).replace("&#64;", "&#64;\u2060")


# Marks, an underscore at the edge of a word, a list's dash or number, and what makes an address.
_MARKS = re.compile(
    r"[\\`*\[\]<>&#|~$@!{}]|(?<![^\W_])_|_(?![^\W_])|^[-+](?=\s)|(?:(?<=^\d)|(?<=^\d\d))[.)](?=\s)|//|(?<=www)\.",
    re.IGNORECASE,
)


def _entity(mark: re.Match[str]) -> str:
    return "".join(f"&#{ord(character)};" for character in mark[0])


def shell(words: Iterable[str]) -> str:
    r"""Return a command for a POSIX shell, in one printable line; nothing is cut off.

    >>> print(shell(["loaderbench", "gate", "-k", "a b", "it's\n"]))
    loaderbench gate -k 'a b' $'it\'s\n'
    """
    return " ".join(map(_word, words))


def _word(word: str) -> str:
    if "".join(map(_printable, word)) == word:
        return shlex.quote(word)
    return "$'" + "".join(_in_shell(character) for character in word) + "'"  # as bash, zsh and ksh read it


def _in_shell(character: str) -> str:
    return f"\\{character}" if character in "\\'" else _printable(character)
