import { SPARE_MS } from '../../queue-database.js'

/**
 * A run that lost its ticket goes on, and its result counts, until another run has begun: what an outage of the queue took from
 * its worker is not lost with it.
 */
const counts = `
local function counts(id, run)
  local facts = call('HMGET', record(id), 'state', 'run')
  return (facts[1] == 'running' or facts[1] == 'queued') and facts[2] == run
end
`

/** What a run has to say: steps by image, then messages. 0: nobody wants to hear it any more. */
export const report = `${counts}
local id, run, steps = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not counts(id, run) then return 0 end
local progress, at = {}, 4
for _ = 1, steps do
  progress[#progress + 1] = 'p' .. ARGV[at]
  progress[#progress + 1] = ARGV[at + 1]
  at = at + 2
end
if #progress > 0 then call('HSET', record(id), unpack(progress)) end
while ARGV[at] do
  tell(id, ARGV[at], ARGV[at + 1])
  at = at + 2
end
return 1
`

/**
 * How a run ended. A database that was killed may have forgotten what it had said it keeps: with `appendfsync everysec` and a
 * slow disk that is the last two seconds.
 */
export const settle = `${counts}
local id, run = ARGV[1], ARGV[2]
-- A connection that is cut sends a command again of which it had no answer.
if call('HGET', record(id), 'settled') == run then return 'seen' end
if not counts(id, run) then return 'unseen' end
for at = 8, #ARGV do
  if call('HEXISTS', P .. 'out:' .. id, ARGV[at]) == 0 then return 'incomplete' end
end
call('HSET', record(id), 'settled', run)
-- Previews, and what earlier runs have left.
for _, part in ipairs(call('HKEYS', P .. 'out:' .. id)) do
  if string.sub(part, 1, #run + 1) ~= run .. 'i' then call('HDEL', P .. 'out:' .. id, part) end
end
finish(id, ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], run)
return 'seen'
`

/** A run that its worker gives back: another one goes on with it. */
export const release = `
local id, run = ARGV[1], ARGV[2]
local facts = call('HMGET', record(id), 'state', 'run')
if facts[1] ~= 'running' or facts[2] ~= run then return 0 end
call('HSET', record(id), 'state', 'queued')
call('HDEL', P .. 'running', id)
tell(id, 'view', '')
return 1
`

/** Ends a job that somebody no longer wants, or that nobody can do. */
export const giveUp = `return finish(ARGV[1], ARGV[2], ARGV[3], '', 0, ARGV[4])`

/** Sends a dead letter again, as the same job. */
export const sendAgain = `
local id = ARGV[1]
if call('ZREM', P .. 'dead', id) == 0 then return '' end
local facts = call('HMGET', record(id), 'model', 'owner', 'priority', 'timeoutMs', 'keptMs', 'state', 'deadBytes')
if facts[6] ~= 'failed' then return '' end
local time = now()
local bytes = call('HGET', P .. 'shelfBytes', id)
if bytes then call('DECRBY', P .. 'keptBytes', bytes) end
call('HDEL', P .. 'shelfBytes', id)
call('ZREM', P .. 'shelf', id)
call('ZREM', P .. 'expires', id)
call('HDEL', record(id), 'error', 'endedAt', 'result', 'again', 'missed')
local dead = tonumber(facts[7] or '0')
call('HSET', record(id), 'state', 'queued', 'deadline', time + tonumber(facts[4]), 'inputBytes', dead)
if dead > 0 then
  call('INCRBY', P .. 'inputBytes', dead)
  call('HINCRBY', P .. 'inputBytesOf', facts[2], dead)
end
local ttl = tonumber(facts[4]) + tonumber(facts[5]) + ${SPARE_MS}
call('PEXPIRE', record(id), ttl)
call('PEXPIRE', P .. 'in:' .. id, ttl)
call('ZADD', P .. 'deadlines', time + tonumber(facts[4]), id)
push(id, facts[1], facts[2], tonumber(facts[3]))
tell(id, 'view', '')
return facts[1]
`

/** Keeps parts of a side of a job, and gives all of them an end. */
export const put = `
local key = P .. ARGV[1] .. ':' .. ARGV[2]
for at = 4, #ARGV, 2 do call('HSET', key, ARGV[at], ARGV[at + 1]) end
call('PEXPIRE', key, ARGV[3])
return 1
`
