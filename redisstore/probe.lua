-- Tries every command that scripts use, except those of Verify alone, and changes nothing: a command
-- without a harmless form gets an argument that it rejects, after the server has checked the user's
-- rights and its own memory. All keys are in one slot, and exist.
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
--   {"tried", command, error, ...}  the commands that fail, with the server's error
--   {"foreign", meta}               the index has another meta member, or "" for none

local index, events, fields = KEYS[1], KEYS[2], KEYS[3]
local metas = redis.call('ZRANGE', index, '[m', '(n', 'BYLEX', 'LIMIT', '0', '2')
if #metas ~= 1 or metas[1] ~= ARGV[1] then
  return {'foreign', metas[1] or ''}
end

local tried = {'tried'}
local function try(rejection, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err and not (rejection and string.find(reply.err, rejection)) then
    tried[#tried + 1] = (...)
    tried[#tried + 1] = reply.err
  end
end

-- The first write needs memory: after one that needs none, a server at its memory limit accepts all.
try(nil, 'ZADD', index, 'XX', '0', '')
try(nil, 'ZREM', index, '')
try(nil, 'ZCARD', index)
try(nil, 'ZSCORE', index, '')
try(nil, 'EXISTS', index)
try(nil, 'HMGET', fields, '')
try(nil, 'HSET', fields, '', '')
try(nil, 'HDEL', fields, 'none')
try(nil, 'XLEN', events)
try('ID', 'XADD', events, 'MAXLEN', '~', '1', '0-0', 'f', 'v')
try('WRONGTYPE', 'GET', index)
try('syntax', 'SET', index, 'v', 'neither an option')
return tried
