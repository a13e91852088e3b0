import { MOST_GONE, UNKEPT_MS } from '../../queue-database.js'
import { hooks } from './hooks.js'

/**
 * What the scripts share. A script runs as one step in the database: what it looks at cannot change before it writes.
 * All keys begin with KEYS[1], which has a hash tag, so that they are in one slot of a cluster. `MOST_OVERTAKEN` is FairQueue's,
 * and `TOLD` is what all names begin with under which something is told.
 *
 * job:ID     a job's record             lane:MODEL:OWNER  ids that wait, in their order      pass:MODEL, idle:MODEL, clock:MODEL
 * in:ID      its inputs                 tickets           which job a ticket of BullMQ stands for
 * out:ID     what it made               queued, running   ids; deadlines, expires, shelf, all, owned:OWNER  ids by time
 * folder     where files of jobs are, if they are elsewhere      leftOver   ids by when somebody is to delete what is left there
 * heard      workers by their last word, but for those that said goodbye      held    ids whose workers are being looked for
 * hook:NAME  a webhook to send          hooks             their names by time, and hooksOf:HOST by when they are due
 */
export const prelude = (mostOvertaken: number, told: string) => `
local P = KEYS[1]
local TOLD = '${told}'
local call = redis.call
local function now()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function text(number) return string.format('%.17g', number) end
local function record(id) return P .. 'job:' .. id end
local function lane(model, owner) return P .. 'lane:' .. model .. ':' .. owner end

-- A message of a job: its number, its kind, its contents.
local function tell(id, kind, contents)
  local number = call('HINCRBY', record(id), 'seq', 1)
  call('PUBLISH', TOLD .. 'news:' .. id, number .. ' ' .. kind .. ' ' .. contents)
end

local function count(name, field, by)
  if call('HINCRBY', P .. name, field, by) == 0 then call('HDEL', P .. name, field) end
end

-- Counts a job that is in its lane, and whose owner takes part from now on.
local function enter(id, model, owner)
  local clock = tonumber(call('GET', P .. 'clock:' .. model) or '0')
  local pass = call('ZSCORE', P .. 'pass:' .. model, owner) or call('ZSCORE', P .. 'idle:' .. model, owner) or '0'
  call('ZADD', P .. 'pass:' .. model, text(math.max(clock, tonumber(pass))), owner)
  call('ZREM', P .. 'idle:' .. model, owner)
  call('ZADD', P .. 'queued', now(), id)
  count('queuedOf', owner, 1)
  count('waiting', model, 1)
end

-- Into its owner's lane, before those of its owner that have a lower priority and let it pass.
local function push(id, model, owner, priority)
  local own = lane(model, owner)
  local place = -1
  while true do
    local other = call('LINDEX', own, place)
    if not other then break end
    local facts = call('HMGET', record(other), 'priority', 'overtaken')
    if tonumber(facts[1] or '0') >= priority or tonumber(facts[2] or '0') >= ${mostOvertaken} then break end
    call('HINCRBY', record(other), 'overtaken', 1)
    place = place - 1
  end
  local before = call('LINDEX', own, place)
  if place == -1 then call('RPUSH', own, id)
  elseif before then call('LINSERT', own, 'AFTER', before, id)
  else call('LPUSH', own, id) end
  enter(id, model, owner)
end

-- Before all others of its owner: it had its turn.
local function pushFirst(id, model, owner)
  call('LPUSH', lane(model, owner), id)
  enter(id, model, owner)
end

-- Out of its lane. An owner keeps its pass until the others have caught up.
local function pull(id, model, owner)
  if call('LREM', lane(model, owner), 1, id) == 0 then return false end
  call('ZREM', P .. 'queued', id)
  count('queuedOf', owner, -1)
  count('waiting', model, -1)
  if call('EXISTS', lane(model, owner)) == 0 then
    local pass = call('ZSCORE', P .. 'pass:' .. model, owner)
    call('ZREM', P .. 'pass:' .. model, owner)
    if pass then call('ZADD', P .. 'idle:' .. model, pass, owner) end
  end
  return true
end

-- A database cannot delete files elsewhere. It knows whose are left, until somebody has deleted them.
local function leaveFiles(id)
  if call('HGET', record(id), 'elsewhere') == '1' then call('ZADD', P .. 'leftOver', now(), id) end
end

local function letInputsGo(id, owner)
  local bytes = tonumber(call('HGET', record(id), 'inputBytes') or '0')
  if bytes > 0 then
    call('HSET', record(id), 'inputBytes', 0)
    call('DECRBY', P .. 'inputBytes', bytes)
    count('inputBytesOf', owner, -bytes)
    leaveFiles(id)
  end
  call('HDEL', record(id), 'work')
  call('DEL', P .. 'in:' .. id)
end

${hooks}
-- The last change of state. What is over stays as it is: the first end is the one that is seen. \`own\` is the run that says so.
local function finish(id, state, failure, result, bytes, again, own)
  local facts = call('HMGET', record(id), 'state', 'model', 'owner', 'keep', 'keptMs', 'run')
  if facts[1] ~= 'queued' and facts[1] ~= 'running' then return 0 end
  local time = now()
  local kept = facts[4] == '1'
  local ttl = kept and tonumber(facts[5]) or ${UNKEPT_MS}
  if facts[1] == 'queued' then pull(id, facts[2], facts[3]) end
  call('HDEL', P .. 'running', id)
  call('ZREM', P .. 'held', id)
  call('ZREM', P .. 'deadlines', id)
  call('HSET', record(id), 'state', state, 'endedAt', time, 'error', failure, 'result', result, 'bytes', bytes, 'again', again)
  letInputsGo(id, facts[3])
  if state ~= 'succeeded' then
    call('DEL', P .. 'out:' .. id)
    leaveFiles(id)
  end
  -- Also when nobody is left who sweeps.
  call('PEXPIRE', record(id), ttl + ${UNKEPT_MS})
  call('PEXPIRE', P .. 'out:' .. id, ttl + ${UNKEPT_MS})
  call('ZADD', P .. 'expires', time + ttl, id)
  if kept then
    call('ZADD', P .. 'shelf', time, id)
    call('HSET', P .. 'shelfBytes', id, bytes)
    call('INCRBY', P .. 'keptBytes', bytes)
  end
  -- Also of a job that only waits: a worker that lost its ticket may still be at it.
  if facts[6] ~= '0' and facts[6] ~= own then call('PUBLISH', TOLD .. 'stop', id .. ' ' .. facts[6]) end
  tell(id, 'view', '')
  addHook(id, state, time)
  return 1
end

-- Inputs that have been put away for the next job with the id stay.
local function forget(id, inputsStay)
  leaveFiles(id)
  local owner = call('HGET', record(id), 'owner')
  local bytes = call('HGET', P .. 'shelfBytes', id)
  if bytes then call('DECRBY', P .. 'keptBytes', bytes) end
  call('HDEL', P .. 'shelfBytes', id)
  call('ZREM', P .. 'shelf', id)
  call('ZREM', P .. 'expires', id)
  call('ZREM', P .. 'dead', id)
  if call('ZREM', P .. 'all', id) == 1 then
    if owner then call('ZREM', P .. 'owned:' .. owner, id) end
    call('ZADD', P .. 'gone', now(), id)
    call('ZREMRANGEBYRANK', P .. 'gone', 0, -${MOST_GONE + 1})
  end
  call('DEL', record(id), P .. 'out:' .. id)
  if not inputsStay then call('DEL', P .. 'in:' .. id) end
end
`
