"""Phone numbers to digits with a country code, as Metrica wants them. Pages: simple-orders-data, hashing.

Numbers that are digits and the usual marks between them are understood here; `phonenumbers`, which is fifty times
slower, is asked only about what these rules leave open.
"""

import re

RUSSIAN_AREA_STARTS = frozenset("346789")
"""First digit after the 7: Russia's areas start with 3, 4, 8 or 9, Kazakhstan's with 6 or 7."""

# E.164 country calling codes in use, by length. A test compares them with the tables of `phonenumbers`.
_TWO = """
20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66
81 82 84 86 90 91 92 93 94 95 98
"""
_THREE = """
211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239
240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265
266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375
376 377 378 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590
591 592 593 594 595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687
688 689 690 691 692 800 808 850 852 853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964
965 966 967 968 970 971 972 973 974 975 976 977 979 992 993 994 995 996 998
"""
_TWO_DIGIT_CODES = frozenset(_TWO.split())
_THREE_DIGIT_CODES = frozenset(_THREE.split())

_MARKS = dict.fromkeys(map(ord, " \t\xa0\u2007\u202f\u2009().-\u2010\u2011\u2012\u2013\u2014\u2212"))
_PREFIX = re.compile(r"(?:tel:|тел\.?:?|phone:?|телефон:?|моб\.?:?)\s*", re.IGNORECASE)
_EXTENSION = re.compile(r"[\s,;]*(?:доб(?:авочный)?|вн|ext(?:ension)?|x|#)[\s.:]*\d{1,7}\s*\Z", re.IGNORECASE)
_FLOAT_TAIL = re.compile(r"(?<=\d{7})\.0\Z")
_AREA_IN_BRACKETS = re.compile(r"\(\d{3,5}\)")


class NotAPhone(ValueError):
    """`code`: phone_format, phone_length or phone_country."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def to_digits(text: str) -> str:
    """`text` (trimmed, not empty) as digits with a country code. Raises NotAPhone.

    What is written without `+` or `00` is first read as it would be dialled in Russia, which is right for the CRMs
    that this serves. The price: see `dialled_in_russia`.
    """
    if is_digits(text):
        return _from_digits(text)
    written = _FLOAT_TAIL.sub("", _EXTENSION.sub("", _PREFIX.sub("", text, count=1), count=1))
    bare = written.translate(_MARKS)
    if bare.startswith("+"):
        if not is_digits(bare[1:]):
            raise NotAPhone("phone_format")
        return _international(bare[1:])
    if not is_digits(bare):
        raise NotAPhone("phone_format")
    if len(bare) == 10 and bare[0] in RUSSIAN_AREA_STARTS and not dialled_in_russia(bare):
        # Marks between the digits are a person's spelling, so the country code may well be left out: "495 123-45-67".
        if _AREA_IN_BRACKETS.match(written):
            return "7" + bare
        raise NotAPhone("phone_country")
    return _from_digits(bare)


def dialled_in_russia(digits: str) -> bool:
    """True for digits without `+` that read as a Russian number: `8` and ten more, or a mobile's ten.

    A few foreign numbers look the same without their `+` (eleven digits of Vietnam, 84…, or ten of Lebanon, 961…).
    Written with `+` they come out right; what comes out must then not be passed in again as something new.
    """
    if len(digits) == 11:
        return digits[0] == "8" and digits[1] in "34789"
    return len(digits) == 10 and digits[0] == "9"


def _from_digits(digits: str) -> str:
    if dialled_in_russia(digits):
        return "7" + digits[-10:]
    if digits.startswith("00"):
        return _international(digits[2:])
    if digits.startswith("810") and len(digits) > 12:
        return _international(digits[3:])  # how Russia dials abroad
    return _international(digits)


def _international(digits: str) -> str:
    length = len(digits)
    if not 7 <= length <= 15:
        raise NotAPhone("phone_length")
    first = digits[0]
    if first == "7":
        if length != 11:
            raise NotAPhone("phone_length")
        if digits[1] not in RUSSIAN_AREA_STARTS:
            raise NotAPhone("phone_format")
        return digits
    if first == "1":
        if length != 11:
            raise NotAPhone("phone_country" if length < 11 else "phone_length")
        if digits[1] in "01":
            raise NotAPhone("phone_format")
        return digits
    if digits[:2] in _TWO_DIGIT_CODES:
        number = digits[2:]
    elif digits[:3] in _THREE_DIGIT_CODES:
        number = digits[3:]
    elif length == 11 and digits[:2] in {"83", "89"}:
        return "7" + digits[1:]  # "+8 903 …": the plus was put before Russia's trunk 8
    else:
        raise NotAPhone("phone_country")
    if 11 <= length <= 13 and number[0] != "0":
        # Long enough to hold a code and a number in every country that is left.
        return digits
    return _asked(digits)


def _asked(digits: str) -> str:
    """Short or very long numbers, and those with a zero after the code: only the country's own plan can tell."""
    import phonenumbers  # loading its tables takes a while, and most callers never get here

    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        raise NotAPhone("phone_format") from None
    if not phonenumbers.is_possible_number(number):
        raise NotAPhone("phone_length")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
