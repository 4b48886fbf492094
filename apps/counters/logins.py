"""Yandex logins as Yandex reads them: one person's login is written in several ways."""

MAIL_DOMAINS = ("yandex.ru", "yandex.com", "ya.ru", "yandex.by", "yandex.kz", "yandex.ua", "narod.ru")


def plain(login: str) -> str:
    """The one spelling of a login: Yandex takes dots for hyphens, and its own mail addresses for logins."""
    text = login.strip().lower()
    name, _at, domain = text.partition("@")
    return name.replace(".", "-") if not domain or domain in MAIL_DOMAINS else text


def same(one: str, other: str) -> bool:
    return plain(one) == plain(other)
