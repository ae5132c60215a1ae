import asyncio
import socket

import pytest
import redis
from redis import exceptions
from redis.sentinel import MasterNotFoundError

from shared.errors import AfterimageError, SettingsInvalid, StoreFull, StoreUnavailable
from shared.store.client import connect, connect_async, translated
from shared.store.scripts import Script
from shared.words.redaction import redact


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://user:s3cret@host", r"^redis_url: expected redis://, rediss:// or"),
        ("redis://:s3cret/x@host", "a port, the database or an option is not valid"),
        ("redis+cluster://host:s3cret", "a port, the database or an option is not valid"),
        ("redis+cluster://:6379", "a host is missing"),
        ("redis+cluster://a:1,:2", "a host is missing"),
        ("redis+cluster://", "a host is missing"),
        ("redis+cluster://a:1/3", "a cluster has no numbered databases"),
        ("redis+cluster://a:1?colour=red", "an option of it is not known"),
        ("redis+sentinel://a:1", "the master's name is missing"),
        ("redis+sentinel://a:1/main/x", "the database or an option is not valid"),
        ("redis+sentinel://a:1/main?sentinel_colour=s3cret", "an option of it is not known"),
        ("redis+cluster://a:1?sentinel_password=s3cret", "an option of it is not known"),
        ("redis://a:1?colour=s3cret", "an option of it is not known"),
        ("unix:///a?ssl_ca_certs=/s3cret", "options that begin with ssl_ go with rediss://"),
        ("redis://a:1?ssl_ca_certs=/s3cret", "options that begin with ssl_ go with rediss://"),
        ("redis+cluster://a:1?ssl_cert_reqs=none", "options that begin with ssl_ go with rediss://"),
        ("redis+sentinel://a:1/main?ssl_ca_certs=/s3cret", "options that begin with ssl_ go with rediss://"),
        ("rediss://a:1?ssl_ca_certs=/s3cret", "ssl_ca_certs: no such file"),
        ("rediss+cluster://a:1?ssl_keyfile=/s3cret", "ssl_keyfile: no such file"),
        ("rediss+sentinel://a:1/main?ssl_certfile=/", "ssl_certfile: no such file"),
        ("rediss://a:1?ssl_ca_certs=/etc/hosts", "ssl_ca_certs: the file holds no certificate"),
    ],
)
def test_a_url_that_is_not_allowed_is_refused_by_name(url: str, problem: str) -> None:
    for open_client in (connect, connect_async):
        with pytest.raises(SettingsInvalid, match=problem) as raised:
            open_client(url)
        assert "s3cret" not in str(raised.value)
        assert redact(str(raised.value)) == str(raised.value), "its own help"


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0",
        "unix:///nowhere/redis.sock",
        "redis+cluster://user:s3cret@127.0.0.1:1,127.0.0.1:2",
        "rediss+cluster://127.0.0.1:1?ssl_cert_reqs=none",
        "redis+sentinel://:s3cret@127.0.0.1:1,127.0.0.1:2/main/1",
        "rediss+sentinel://:s3cret@127.0.0.1:1/main?sentinel_username=x&sentinel_password=s3cret&ssl_cert_reqs=none",
        "rediss://:s3cret@127.0.0.1:1?max_connections=3&ssl_cert_reqs=none",
    ],
)
def test_nothing_is_connected_before_it_is_used_and_then_says_so(url: str) -> None:
    client = connect(url, timeout_seconds=1, retries=0)
    script = Script(client, "return 1")
    for use in (client.ping, lambda: script([], []), lambda: script.many([(["a"], [])]), lambda: _pipe(client)):
        with pytest.raises(StoreUnavailable) as raised, translated():
            use()
        assert "s3cret" not in str(raised.value)
    client.close()


@pytest.mark.parametrize("scheme", ["redis://{}", "redis+cluster://{}", "redis+sentinel://{}/main"])
def test_asyncio_clients_say_so_too(scheme: str) -> None:
    async def use() -> None:
        client = connect_async(scheme.format("127.0.0.1:1"), timeout_seconds=1)
        pipeline = client.pipeline(transaction=False)
        pipeline.get("a")
        with pytest.raises(StoreUnavailable), translated():
            await pipeline.execute()
        await client.aclose()

    asyncio.run(use())


@pytest.mark.parametrize(
    "trouble",
    [
        exceptions.ConnectionError("Connection closed by server."),
        exceptions.TimeoutError("Timeout reading from socket"),
        exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
        exceptions.NoScriptError("No matching script. Please use EVAL."),
        exceptions.MovedError("1 127.0.0.1:7000"),
        exceptions.AskError("1 127.0.0.1:7000"),
        exceptions.TryAgainError("Multiple keys request during rehashing of slot"),
        exceptions.ClusterDownError("The cluster is down"),
        exceptions.MasterDownError("Link with MASTER is down"),
        exceptions.ClusterError("TTL exhausted."),
        exceptions.SlotNotCoveredError('Slot "1" is not covered by the cluster.'),
        exceptions.RedisClusterException("Redis Cluster cannot be connected."),
        MasterNotFoundError("No master found for 'main'"),
        exceptions.AuthenticationError("WRONGPASS"),
        exceptions.MaxConnectionsError(),
        ConnectionResetError(104, "Connection reset by peer"),
        socket.gaierror(-2, "Name or service not known"),
        TimeoutError(),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_whatever_redis_says_in_trouble_is_one_error(trouble: Exception) -> None:
    with pytest.raises(StoreUnavailable, match=r"Redis: .+") as raised, translated():
        raise trouble
    assert raised.value.__cause__ is trouble


@pytest.mark.parametrize(
    "words",
    [
        exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        exceptions.ResponseError("Error running script: @user_script:9: -OOM command not allowed when used memory > 1"),
    ],
)
def test_a_full_redis_is_told_apart(words: Exception) -> None:
    with pytest.raises(StoreFull, match="it is full, and refuses what takes memory"), translated():
        raise words


@pytest.mark.parametrize(
    "defect",
    [
        exceptions.DataError("Invalid input of type: 'NoneType'."),
        exceptions.ClusterCrossSlotError("Keys in request don't hash to the same slot"),
        KeyError("a"),
    ],
)
def test_our_own_mistakes_are_not_waited_for(defect: Exception) -> None:
    with pytest.raises(type(defect)), translated():
        raise defect


def test_credentials_in_redis_own_words_are_hidden() -> None:
    with pytest.raises(AfterimageError) as raised, translated():
        raise exceptions.ConnectionError("Error connecting to redis://user:s3cret@host:1.")
    assert "s3cret" not in str(raised.value)


def _pipe(client: redis.Redis) -> None:
    pipeline = client.pipeline(transaction=False)
    pipeline.get("a")
    pipeline.execute()


def test_arguments_that_a_server_repeats_are_left_out() -> None:
    said = "unknown command 'AUTH', with args beginning with: 's3cret' "
    with pytest.raises(StoreUnavailable, match=r"unknown command 'AUTH'$") as raised, translated():
        raise redis.ResponseError(said)
    assert "s3cret" not in str(raised.value)
