"""A CRM's words in the letters that Metrica takes for identifiers. Page: mapOrderStatuses (`^[\\w-:]+$`, 1 to 255)."""

import hashlib
import re
import unicodedata

from apps.metrica.vocabulary import ID_PATTERN, MAX_ID_LENGTH

_LETTERS = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
    "і": "i", "ї": "yi", "є": "ye", "ґ": "g", "ў": "u", "ә": "a", "ғ": "g", "қ": "k", "ң": "n", "ө": "o", "ұ": "u",
    "ү": "u", "һ": "h", "ђ": "dj", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz", "ß": "ss", "æ": "ae",
    "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "№": " ",
}  # fmt: skip
_TABLE = str.maketrans(_LETTERS)
_BETWEEN = re.compile(r"[^a-z0-9]+")


def likely_order_status_id(text: str) -> str:
    """An `id` for the status that a CRM calls `text`: `"Запись в филиал №1"` → `zapis_v_filial_1`.

    What fits already is left as it is. The same text always gives the same id, but two texts may give one, so the
    caller sees to uniqueness. Never empty and at most 255 characters: where nothing can be spelled in Latin letters
    or digits, the id is made of a hash.
    """
    if ID_PATTERN.match(text):
        return text
    # Composed first, because the table knows й and ё as one letter each; then accents of all other letters go.
    latin = unicodedata.normalize("NFC", text).lower().translate(_TABLE)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", latin) if not unicodedata.combining(letter))
    spelled = _BETWEEN.sub("_", plain.lower())[:MAX_ID_LENGTH].strip("_")
    if spelled:
        return spelled
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    return f"status_{digest[:8]}"
