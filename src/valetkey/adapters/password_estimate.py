"""The estimate of a password, by zxcvbn (Wheeler, USENIX Security 2016). Importing this loads its word lists."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from zxcvbn import matching, scoring

from valetkey.core.password_strength import Strength, Weakness

_LOOKED_AT = 64  # characters; the time that an estimate takes grows fast with them
# The library knows English. These come first where German is spoken, the most usual in front.
_GERMAN = """
    passwort hallo schatz geheim sommer winter herbst fussball schalke bayern dortmund hamburg berlin
    münchen muenchen frankfurt deutschland österreich oesterreich schweiz frühling fruehling liebe ichliebedich schatzi
    mausi hase hasi engel teufel sonne sonnenschein mond stern blume schmetterling schnecke katze hund pferd tiger mutter
    vater mama papa oma opa schwester bruder kinder familie freunde freundin freund montag dienstag mittwoch donnerstag
    freitag samstag sonntag januar februar märz maerz april juni juli august september oktober november dezember
    willkommen anmelden kennwort benutzer rechner computer internet büro buero firma arbeit urlaub ferien weihnachten
    ostern geburtstag michael thomas andreas stefan christian daniel sabine monika petra claudia julia sandra nicole
    schule lehrer auto motorrad mercedes porsche volkswagen gitarre musik kaffee schokolade glück glueck leben zuhause
"""
_WEAKNESSES = {
    "dictionary": Weakness.COMMON,
    "spatial": Weakness.KEYBOARD,
    "repeat": Weakness.REPEATED,
    "sequence": Weakness.SEQUENCE,
    "date": Weakness.DATE,
    "regex": Weakness.DATE,  # a recent year
}


def measure(password: str, known: Sequence[str]) -> Strength:
    """Estimate a password, given what a guesser knows of the person. Only its beginning is looked at."""
    # Not the library's own entry, which keeps the words of the person before in a table that all share.
    words = {
        **matching.RANKED_DICTIONARIES,
        "german": matching.build_ranked_dict(_GERMAN.split()),
        "user_inputs": matching.build_ranked_dict([word.lower() for word in known]),
    }
    looked_at = unicodedata.normalize("NFKC", password)[:_LOOKED_AT]
    result = scoring.most_guessable_match_sequence(looked_at, matching.omnimatch(looked_at, words))
    found: list[dict[str, Any]] = result["sequence"]
    return Strength(float(result["guesses_log10"]), _weakness(found))


def _weakness(found: list[dict[str, Any]]) -> Weakness:
    """Name the kind of the longest piece that is not mere chance."""
    pieces = [piece for piece in found if piece["pattern"] != "bruteforce"]
    if not pieces:
        return Weakness.NONE
    longest = max(pieces, key=lambda piece: len(piece["token"]))
    if longest["pattern"] == "dictionary" and longest["dictionary_name"] == "user_inputs":
        return Weakness.PERSONAL
    return _WEAKNESSES.get(longest["pattern"], Weakness.NONE)
