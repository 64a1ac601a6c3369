-- Gives a bucket that has neither a meta member nor data a forming meta member. Or makes a forming
-- meta member final and creates the other fixed keys. All keys are in one slot. Fixed keys without
-- data may exist already: a script that failed has left them.
--
-- KEYS
--   1  index
--   2  events
--   3  fields
--
-- ARGV
--   1  the wanted meta member; a final one only replaces the same member that is still forming
--   2  the ending of a forming meta member
--
-- Reply: {the meta member now, "" if it is missing; "1" if the bucket has data, "" if not}

local index, events, fields = KEYS[1], KEYS[2], KEYS[3]
local wanted, forming = ARGV[1], ARGV[2]
local metas = redis.call('ZRANGE', index, '[m', '(n', 'BYLEX', 'LIMIT', '0', '1')
local meta, data = metas[1], ''
if redis.call('ZCARD', index) > #metas or redis.call('XLEN', events) > 0
  or redis.call('HLEN', fields) > 1 then -- more than the field ''
  data = '1'
end

if not meta and data == '' and string.sub(wanted, -#forming) == forming then
  redis.call('ZADD', index, '0', wanted)
  meta = wanted
elseif meta == wanted .. forming and data == '' then
  redis.call('HSET', fields, '', '')
  redis.call('XADD', events, 'MAXLEN', '0', '*', '', '') -- leaves an empty stream
  redis.call('ZREM', index, '') -- fails without this right, before there are two metas
  redis.call('ZADD', index, '0', wanted)
  redis.call('ZREM', index, meta)
  meta, data = wanted, '1'
end
return {meta or '', data}
