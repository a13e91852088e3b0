import { BREAK_MS, DEAD_MS, FORGOTTEN_MS, MOST_ENDED } from '../../queue-database.js'

/**
 * Whether workers have ended that do not hold the ticket of their job any more. One has where it was not heard again, did not
 * say goodbye, and where the queue was there all the time: an outage takes tickets from workers that are well, and their last
 * word too.
 * @param failure what a job failed with that has ended its workers
 */
export const ended = (failure: string) => `
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
    call('PEXPIRE', P .. 'in:' .. id, ${DEAD_MS})
  end
  call('PEXPIRE', record(id), ${DEAD_MS})
  call('ZADD', P .. 'expires', now() + ${DEAD_MS}, id)
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
      if said + ${FORGOTTEN_MS} > time then open = open + 1 else gone = gone + 1 end
      missed = missed .. worker .. '@' .. at .. ' '
    end
  end
  call('HSET', record(id), 'missed', missed)
  if gone >= ${MOST_ENDED} then
    bury(id)
    return 'over'
  end
  return gone + open >= ${MOST_ENDED} and 'hold' or 'run'
end
`
