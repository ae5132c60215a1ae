-- The time by the clock of the server that holds a key: a cluster's client asks all servers otherwise.
-- KEYS: 1 any    ARGV: none
-- Returns seconds and microseconds.
return redis.call('TIME')
