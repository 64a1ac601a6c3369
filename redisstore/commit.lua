-- Applies one change to a bucket: all of it or nothing. All keys are in one slot. The index, the
-- events and the fields exist from Open on and never stop existing.
--
-- KEYS
--   1  record  string: see below
--   2  index   sorted set of members, all scores 0; see keys.go
--   3  events  stream: t tenant, p id of the tenant's previous event, b id of the bucket's previous
--              event ("" if it is the same), e event
--   4  fields  hash: outcomes, and the ids of the first and of the last events; see keys.go
--
-- A record is a string; "" stands for no record. A number has 8 bytes and is only compared for
-- equality, because a number in Lua cannot represent all 64 bits exactly.
--
--     1      "r" record or "t" tombstone
--     2- 9   revision
--    10-17   generation
--    18      number of op entries, at least 1
--    19-     op entries, oldest first, of 25 bytes: op token (16), the revision that the change led
--            to (8), "r" for a change with a record or tombstone and "n" for one without
--    rest    created (8), deadline (8), length of the names (4), names, body. A name is the length
--            of what follows (2), a scope (1), and a term or claim. A tombstone has no names and no
--            body.
--
-- ARGV, all strings
--    1  the meta member that the index must have
--    2  op token
--    3  revision that the stored record has to have, zero for no record
--    4  "1" if the caller waits for replicas: before an answer from stored data, the script then
--       writes the same data again, so that WAIT covers it
--    5  what the change has: "r" a record, "t" a tombstone, "n" neither
--    6  revision that the change leads to
--    7  generation
--    8  rest
--    9  tenant
--   10  id
--   11  milliseconds until the tombstone expires, "" for never
--   12  now, in 20 digits that sort by time
--   13  field of the outcome, "" for none
--   14  outcome: its end (20 digits, as for now), data
--   15  how many events to keep, approximately
--   16  how many op entries a record keeps
--   17  "1" if an earlier try may have been applied, because its answer was lost
--   18  "1" if the change ends an installation: it is allowed to exceed the memory limit
--   19  id of an event that the log must have, "" for none
--   20  "1" if the change was built in another epoch
--   21  op entries that the record gets, "" for its own and that of the change
--   22  and following: events
--
-- Replies
--   {"applied", id}                  done; id of the last event of the change, "" for none
--   {"replayed", revision}           this change was applied before
--   {"outcome", value}               the idempotency key was used before
--   {"conflict", revision, entries}  another revision is stored, with these op entries
--   {"exists", id}                   this record holds one of the claims
--   {"unknown"}                      an earlier try may have been applied and been forgotten
--   {"foreign"}                      the index lacks the meta member
--   {"missing"}                      the log lacks the event
--   {"epoch", entries}               the change was built in another epoch; the record has these
--                                    op entries
--   {"broken"}                       the record or the index is damaged
--   {"denied", command}              the user lacks the right to this command or to its key
--
-- When a script fails, its earlier writes stay. So the script reads every key and checks everything
-- before the first write. While a slot moves, a server rejects the use of a key that does not exist
-- there. A script that deleted a key and wrote it again would fail in between. So keys are
-- overwritten and never deleted, and index members are added before others are removed.

local record, index, events, fields = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local expected, confirm, kind, leads_to = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local rest, tenant, id, now = ARGV[8], ARGV[9], ARGV[10], ARGV[12]
local field, remembered, uncertain, ends = ARGV[13], tonumber(ARGV[16]), ARGV[17], ARGV[18]
local seen, outdated = ARGV[19], ARGV[20]
local first_event = 22
local entry_bytes, no_revision = 25, string.rep('\0', 8)
local no_created, no_deadline = no_revision, no_revision
local term_scope, global_scope, claim_scope, at_sign = string.byte('tgc@', 1, 4)

local function range(from, to, limit)
  return redis.call('ZRANGE', index, from, to, 'BYLEX', 'LIMIT', '0', limit)
end

-- Sends a write that changes nothing: no index has the empty member. A replica rejects this write
-- like any other. A server at its memory limit accepts it, and after it also the other writes of
-- the script.
local function write_nothing()
  redis.call('ZREM', index, '')
end

-- A server that became a replica while a client still uses it has old data, and it runs scripts
-- that only read. So the script also writes when it answers from stored data.
local function answer(reply)
  write_nothing()
  return reply
end

-- named returns the part of a rest before the body, from which the index members follow. It returns
-- nil if the rest is damaged.
local function named(from)
  local a, b, c, d = string.byte(from, 17, 20)
  if not d then
    return nil
  end
  local at, last = 21, 20 + ((a * 256 + b) * 256 + c) * 256 + d
  while at <= last do
    local high, low, scope, first = string.byte(from, at, at + 3)
    if not scope then
      return nil
    end
    local length = high * 256 + low
    local of_term = length > 1 and first == at_sign and global_scope or term_scope
    if length == 0 or scope ~= of_term and scope ~= claim_scope then
      return nil
    end
    at = at + 2 + length
  end
  if at ~= last + 1 or #from < last then
    return nil
  end
  return string.sub(from, 1, last)
end

-- members returns the index members of a record, and the members of its claims without the id.
local function members(names)
  local list, claims, at = {}, {}, 21
  local created, deadline = string.sub(names, 1, 8), string.sub(names, 9, 16)
  while at < #names do
    local length = string.byte(names, at) * 256 + string.byte(names, at + 1)
    local scope = string.byte(names, at + 2)
    local name = string.sub(names, at + 3, at + 1 + length)
    at = at + 2 + length
    if scope == term_scope then
      list[#list + 1] = 't' .. tenant .. '\0' .. name .. '\0' .. created .. id
    elseif scope == global_scope then
      list[#list + 1] = 'g' .. name .. '\0' .. created .. tenant .. '\0' .. id
    else
      list[#list + 1] = 'c' .. tenant .. '\0' .. name .. '\0' .. id
      claims[#claims + 1] = 'c' .. tenant .. '\0' .. name .. '\0'
    end
  end
  if deadline ~= no_deadline then
    list[#list + 1] = 'd' .. tenant .. '\0' .. deadline .. id
    list[#list + 1] = 'a' .. deadline .. tenant .. '\0' .. id
  end
  return list, claims
end

-- Reads, before anything is written.

local meta = redis.call('ZSCORE', index, ARGV[1]) -- a range can lack it if some score is not 0
local stored = redis.call('GET', record) or ''
redis.call('XLEN', events)
local missing = seen ~= '' and not redis.call('XRANGE', events, seen, seen, 'COUNT', '1')[1]
local kept = redis.call('HMGET', fields, field, 't' .. tenant, 'first', '', 'last')
local used, last, first, newest = kept[1], kept[2], kept[3], kept[5]
if not meta or not kept[4] then
  return {'foreign'}
end
if missing then
  return {'missing'}
end

local was, revision, generation, entries = '', no_revision, '', ''
local old_rest, old_names = '', ''
if stored ~= '' then
  was, revision, generation = string.sub(stored, 1, 1), string.sub(stored, 2, 9),
    string.sub(stored, 10, 17)
  local count = string.byte(stored, 18) or 0
  local rest_at = 19 + count * entry_bytes
  entries, old_rest = string.sub(stored, 19, rest_at - 1), string.sub(stored, rest_at)
  old_names = named(old_rest)
  local known = was == 'r'
    or was == 't' and #old_rest == 20 and string.sub(old_rest, 1, 8) == no_created
  if not known or count == 0 or count > remembered or not old_names or revision == no_revision
    or string.byte(revision) > 127 or string.byte(generation) > 127 then
    return {'broken'}
  end
end

-- 1. This very change was applied before.
for at = 1, #entries, entry_bytes do
  if string.sub(entries, at, at + 15) == ARGV[2] then
    if confirm == '1' then
      write_nothing()
      redis.call('SET', record, stored, 'KEEPTTL')
    end
    return answer({'replayed', string.sub(entries, at + 16, at + 23)})
  end
  local mark = string.sub(entries, at + 24, at + 24)
  if mark ~= 'r' and mark ~= 'n' then
    return {'broken'}
  end
end

-- 2. A restore was accepted after the change was built.
if outdated == '1' then
  return answer({'epoch', entries})
end

-- 3. The idempotency key was used before.
if field ~= '' and used and string.sub(used, 1, 20) > now then
  if confirm == '1' then
    write_nothing()
    redis.call('HSET', fields, field, used)
  end
  return answer({'outcome', used})
end

-- 4. Another revision is stored.
if revision ~= expected or (kind == 'n' and stored == '') then
  return answer({'conflict', revision, entries})
end

-- A change with a record or tombstone leads to a new revision, so the check above finds an applied
-- one. A change without either keeps the revision, and the record may have forgotten it. That is
-- possible if all entries may be newer: they are as many as a record remembers, and led to this
-- revision without a record.
if uncertain == '1' and kind == 'n' and #entries == remembered * entry_bytes
  and string.sub(entries, 17, entry_bytes) == expected .. 'n' then
  return {'unknown'}
end

-- 5. Another record has one of the claims: the index has a member that differs only in the id. If
-- the names are unchanged, there is nothing to check: no other record has them.
local had, wanted, claims = {}, {}, {}
if kind ~= 'n' then
  local new_names = ''
  if kind == 'r' then
    new_names = named(rest)
  end
  if was ~= 'r' then
    old_names = ''
  end
  if new_names ~= old_names then
    if old_names ~= '' then
      had = members(old_names)
    end
    if new_names ~= '' then
      wanted, claims = members(new_names)
    end
  end
end
for _, claim in ipairs(claims) do
  local holders = range('[' .. claim, '(' .. string.sub(claim, 1, -2) .. '\1', '2')
  for _, holder in ipairs(holders) do
    if string.sub(holder, 1, #claim) ~= claim then
      return {'broken'} -- out of order, because a score is not 0
    end
    if holder ~= claim .. id then
      return answer({'exists', string.sub(holder, #claim + 1)})
    end
  end
end

local expired, outlived = {}, {} -- members of some expired outcomes; fields of those
if field ~= '' then
  expired = range('[o', '(o' .. now, '4')
  for _, member in ipairs(expired) do
    local of = string.sub(member, 22)
    local value = redis.call('HMGET', fields, of)[1]
    -- An outcome that was stored again after it was lost has another end.
    outlived[member] = string.sub(of, 1, 1) == 'o' and value
      and string.sub(value, 1, 20) == string.sub(member, 2, 21)
  end
end

-- 6. The user has lost a right since Open. A write that needs it would fail after others. The first
-- write needs no check. A server wants as many arguments as the command needs.
local function lacks(command, ...)
  local may = redis.acl_check_cmd -- miniredis and servers before version 7 lack it
  return may and not may(command, ...) and command
end
-- A change that makes the record smaller or ends the installation also works on a server at its
-- memory limit. Otherwise nothing could be freed there.
local frees = ends == '1' or (kind ~= 'n' and #rest < #old_rest)
local has_events, keyed = ARGV[first_event], field ~= ''
local denied = lacks('SET', record, '') or frees and has_events and lacks('XADD', events, '*', '', '')
  or (has_events or keyed) and lacks('HSET', fields, '', '')
  or (#wanted > 0 or keyed) and lacks('ZADD', index, '0', '')
  or (#had > 0 or keyed) and not frees and lacks('ZREM', index, '')
  or #expired > 0 and lacks('HDEL', fields, '')
if denied then
  return {'denied', denied}
end

-- Every check has passed.
if frees then
  write_nothing()
end

local added = ''
-- The events come first, because XADD fails if the stream has the last possible id.
if ARGV[first_event] then
  for n = first_event, #ARGV do
    local before = ''
    if newest ~= last then
      before = newest or ''
    end
    last = redis.call('XADD', events, 'MAXLEN', '~', ARGV[15], '*',
      't', tenant, 'p', last or '', 'b', before, 'e', ARGV[n])
    first, newest = first or last, last
  end
  added = last
  redis.call('HSET', fields, 't' .. tenant, last, 'last', last, 'first', first)
end

local count = #entries / entry_bytes
if count == remembered then
  entries = string.sub(entries, entry_bytes + 1)
  count = count - 1
end
local mark = 'r'
if kind == 'n' then
  mark = 'n'
end
if ARGV[21] ~= '' then
  entries = string.char(#ARGV[21] / entry_bytes) .. ARGV[21]
else
  entries = string.char(count + 1) .. entries .. ARGV[2] .. leads_to .. mark
end
if kind == 'n' then
  redis.call('SET', record, was .. revision .. generation .. entries .. old_rest, 'KEEPTTL')
elseif ARGV[11] ~= '' then
  redis.call('SET', record, kind .. leads_to .. ARGV[7] .. entries .. rest, 'PX', ARGV[11])
else
  redis.call('SET', record, kind .. leads_to .. ARGV[7] .. entries .. rest)
end

local has, stays = {}, {}
for _, member in ipairs(had) do
  has[member] = true
end
for _, member in ipairs(wanted) do
  stays[member] = true
  if not has[member] then
    redis.call('ZADD', index, '0', member)
  end
end
for _, member in ipairs(had) do
  if not stays[member] then
    redis.call('ZREM', index, member)
  end
end

if field ~= '' then
  local end_member = 'o' .. string.sub(ARGV[14], 1, 20) .. field
  redis.call('HSET', fields, field, ARGV[14])
  redis.call('ZADD', index, '0', end_member)
  if used and string.sub(used, 1, 20) ~= string.sub(ARGV[14], 1, 20) then
    redis.call('ZREM', index, 'o' .. string.sub(used, 1, 20) .. field)
  end
  for _, member in ipairs(expired) do
    local of = string.sub(member, 22)
    if string.sub(member, 1, 1) == 'o' and member ~= end_member then -- else some score is not 0
      if outlived[member] and of ~= field then
        redis.call('HDEL', fields, of)
      end
      redis.call('ZREM', index, member)
    end
  end
end

return {'applied', added}
