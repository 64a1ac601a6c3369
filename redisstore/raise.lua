-- Replaces the meta member of a bucket, if the bucket still has it. The key exists before and after.
--
-- KEYS
--   1  index
--
-- ARGV
--   1  the meta member that the index must have
--   2  the meta member to put in its place
--
-- Replies
--   {"raised"}   done
--   {"foreign"}  the index lacks the meta member

local index = KEYS[1]
if not redis.call('ZSCORE', index, ARGV[1]) then
  return {'foreign'}
end
redis.call('ZREM', index, '') -- so that this also works on a server at its memory limit
redis.call('ZADD', index, '0', ARGV[2])
redis.call('ZREM', index, ARGV[1])
return {'raised'}
