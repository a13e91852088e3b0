export interface EndedFacts {
  /** How many workers have to end while they run a job until no other one is to run it. */
  most: number
  /** How long a worker that is there can be silent. */
  forgottenMs: number
  /** What such a job failed with, and how long it stays as a dead letter. */
  failure: string
  keptMs: number
}

/**
 * In every process somebody looks each second. Where nobody did for so long, the queue could not be reached. After a shorter
 * break every worker that is there has said so before it counts as forgotten.
 */
const BREAK_MS = 5000

/**
 * Whether workers have ended that do not hold the ticket of their job any more. One has where it was not heard again, did not
 * say goodbye, and where the queue was there all the time: an outage takes tickets from workers that are well, and their last
 * word too.
 */
export const ended = ({ most, forgottenMs, failure, keptMs }: EndedFacts) => `
-- Since when the queue has been there without a break.
local function upSince(time)
  local up = call('HMGET', P .. 'up', 'since', 'seen')
  if not up[2] then return 0 end
  return time - tonumber(up[2]) > ${BREAK_MS} and time or tonumber(up[1])
end

-- Somebody else is to run what a worker has no ticket for any more. Whether that has ended is seen later.
local function takeOver(id, worker)
  local missed = (call('HGET', record(id), 'missed') or '') .. worker .. '@' .. now() .. ' '
  call('HSET', record(id), 'state', 'queued', 'missed', missed)
  call('HDEL', P .. 'running', id)
  tell(id, 'view', '')
end

-- The job has failed, and stays with its inputs so that it can be sent again.
local function bury(id)
  local before = call('HMGET', record(id), 'work', 'inputBytes')
  local inputs = call('EXISTS', P .. 'in:' .. id) == 1
  if inputs then call('RENAME', P .. 'in:' .. id, P .. 'dead:' .. id) end
  finish(id, 'failed', [==[${failure}]==], '', 0, '0')
  call('HSET', record(id), 'work', before[1], 'deadBytes', before[2] or '0')
  if inputs then
    call('RENAME', P .. 'dead:' .. id, P .. 'in:' .. id)
    call('PEXPIRE', P .. 'in:' .. id, ${keptMs})
  end
  call('PEXPIRE', record(id), ${keptMs})
  call('ZADD', P .. 'expires', now() + ${keptMs}, id)
  call('ZADD', P .. 'dead', now(), id)
end

-- 'run': another worker is to run it; 'hold': first it has to be known whether its workers have ended; 'over': they have.
local function judge(id)
  local time = now()
  local since = upSince(time)
  local missed, gone, open = '', 0, 0
  for worker, at in string.gmatch(call('HGET', record(id), 'missed') or '', '(%S+)@(%d+) ') do
    local said = tonumber(call('ZSCORE', P .. 'heard', worker) or '-1')
    if said >= since and said <= tonumber(at) then
      if said + ${forgottenMs} > time then open = open + 1 else gone = gone + 1 end
      missed = missed .. worker .. '@' .. at .. ' '
    end
  end
  call('HSET', record(id), 'missed', missed)
  if gone >= ${most} then
    bury(id)
    return 'over'
  end
  return gone + open >= ${most} and 'hold' or 'run'
end
`
