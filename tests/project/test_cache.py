"""The cache in Redis: as good as Redis, and no worse than none without it."""

from pathlib import Path

import pytest

from project.cache import OPTIONS, TolerantRedisCache
from tests.redis import needs_redis, redis_server


@needs_redis
def test_a_cache_whose_redis_is_away_is_an_empty_one(tmp_path: Path):
    with redis_server(tmp_path) as server:
        cache = TolerantRedisCache(server.url, {"OPTIONS": OPTIONS})
        cache.set("a", 1)
        assert cache.get("a") == 1
        assert cache.incr("a") == 2
        assert cache.get_many(["a", "b"]) == {"a": 2}
        server.stop()
        cache.set("a", 3)
        assert cache.get("a") is None
        assert cache.get("a", "otherwise") == "otherwise"
        assert cache.get_or_set("a", lambda: 5) == 5
        assert cache.add("a", 1) and not cache.has_key("a")
        assert cache.set_many({"a": 1}) == ["a"]
        assert cache.get_many(["a"]) == {} and not cache.delete("a") and not cache.touch("a")
        with pytest.raises(ValueError):
            cache.incr("a")
        server.start()
        assert cache.get("a") is None, "Redis came back with what it had"
        cache.set("a", 4)
        assert cache.get("a") == 4
