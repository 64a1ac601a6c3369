-- Tries every command that scripts use, except those that only Verify uses, and changes nothing. A
-- command without a harmless form gets an argument that it rejects: the server checks the user's
-- rights and its own memory before the argument. All keys are in one slot, and exist.
--
-- KEYS
--   1  index
--   2  events
--   3  fields
--
-- ARGV
--   1  the meta member that the index must have
--
-- Replies
--   {"tried", command, error, ...}  the commands that fail, with the server's error; "" if the
--                                   server accepts an argument that it has to reject
--   {"foreign"}                     the index lacks the meta member

local index, events, fields = KEYS[1], KEYS[2], KEYS[3]
if not redis.call('ZSCORE', index, ARGV[1]) then
  return {'foreign'}
end

-- On a server that rejects writes for now, the script fails here, so that the client retries or
-- looks for the primary. This write needs memory, because a server checks its memory only before
-- the first write of a script.
redis.call('ZADD', index, 'XX', '0', '')

local tried = {'tried'}
local function try(rejection, ...)
  local reply = redis.pcall(...)
  local failed = type(reply) == 'table' and reply.err
  if failed and not (rejection and string.find(failed, rejection)) then
    tried[#tried + 1] = (...)
    tried[#tried + 1] = failed
  elseif rejection and not failed then
    tried[#tried + 1] = (...)
    tried[#tried + 1] = ''
  end
end

try(nil, 'ZREM', index, '')
try(nil, 'ZCARD', index)
try(nil, 'ZRANGE', index, '[m', '(n', 'BYLEX', 'LIMIT', '0', '1')
try(nil, 'HMGET', fields, '')
try(nil, 'HLEN', fields)
try(nil, 'HDEL', fields, 'none')
try(nil, 'XLEN', events)
try(nil, 'XRANGE', events, '0-1', '0-1', 'COUNT', '1')
try('WRONGTYPE', 'HSET', index, '', '')
try('ID', 'XADD', events, 'MAXLEN', '~', '1', '0-0', 'f', 'v')
try('WRONGTYPE', 'GET', index)
try('syntax', 'SET', index, 'v', 'neither an option')
return tried
