-- Runs every command that scripts use, on a key that no other script uses. A command that the user
-- may not run fails here and not in the middle of a commit. The key is deleted, or expires soon if
-- the right to delete is missing.
--
-- KEYS
--   1  meta
--   2  the key to try them on
--
-- ARGV
--   1  the expected value of meta
--
-- Replies
--   {"tried"}
--   {"foreign"}  meta is missing or different

local meta, probe = KEYS[1], KEYS[2]
local minute = '60000'

if redis.call('GET', meta) ~= ARGV[1] then
  return {'foreign'}
end

redis.call('SET', probe, 'v', 'PX', minute)
redis.call('PEXPIRE', probe, minute)
redis.call('SET', probe, 'v', 'KEEPTTL')
redis.call('EXISTS', probe)
redis.call('DEL', probe)

redis.call('HSET', probe, 'f', 'v')
redis.call('PEXPIRE', probe, minute)
redis.call('HGET', probe, 'f')
redis.call('HMGET', probe, 'f')
redis.call('DEL', probe)

redis.call('ZADD', probe, '0', 'm')
redis.call('PEXPIRE', probe, minute)
redis.call('ZRANGE', probe, '[m', '(n', 'BYLEX', 'LIMIT', '0', '1')
redis.call('ZCARD', probe)
redis.call('ZSCORE', probe, 'm')
redis.call('ZREM', probe, 'm')

redis.call('XADD', probe, 'MAXLEN', '~', '1', '*', 'f', 'v')
redis.call('PEXPIRE', probe, minute)
redis.call('XLEN', probe)
redis.call('DEL', probe)

return {'tried'}
