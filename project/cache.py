"""A cache in Redis without which everything still works: what cannot be asked is not known, what cannot be kept is not
kept."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import redis
import structlog
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

OPTIONS: dict[str, Any] = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0, "retry": Retry(NoBackoff(), 1)}
"""A page must not wait long for what it can do without."""

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _or(otherwise: Any) -> Callable[[_Method], _Method]:
    """The method's answer, or this one where Redis does not give any."""

    def of(method: Any) -> Any:
        @wraps(method)
        def tolerant(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return method(self, *arguments, **named)
            except redis.RedisError as error:
                log.warning("the cache does not answer", error=str(error))
                return otherwise(*arguments, **named) if callable(otherwise) else otherwise

        return tolerant

    return of


def _default(_key: Any, default: Any = None, **_named: Any) -> Any:
    return default


def _none_kept(data: Any, **_named: Any) -> list[Any]:
    return list(data)


def _no_such_key(key: Any, *_rest: Any, **_named: Any) -> Any:
    raise ValueError(f"Key {key!r} not found.")


class TolerantRedisCache(RedisCache):
    """As Django's, but a Redis that is away is an empty one."""

    get = _or(_default)(RedisCache.get)
    get_many = _or(lambda *_arguments, **_named: {})(RedisCache.get_many)
    add = _or(True)(RedisCache.add)
    set = _or(None)(RedisCache.set)
    set_many = _or(_none_kept)(RedisCache.set_many)
    touch = _or(False)(RedisCache.touch)
    delete = _or(False)(RedisCache.delete)
    delete_many = _or(None)(RedisCache.delete_many)
    has_key = _or(False)(RedisCache.has_key)
    incr = _or(_no_such_key)(RedisCache.incr)
    clear = _or(False)(RedisCache.clear)
