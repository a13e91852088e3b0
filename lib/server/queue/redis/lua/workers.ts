/** A worker says that it is there, and what the models are that it offers. */
export const announce = `
local id, announcement, forgottenMs, factsMs = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local time = now()
call('SET', P .. 'worker:' .. id, announcement, 'PX', forgottenMs)
call('ZADD', P .. 'workers', time, id)
call('ZADD', P .. 'heard', time, id)
call('ZREMRANGEBYSCORE', P .. 'heard', '-inf', time - 86400000)
for _, name in ipairs({'workers', 'heard', 'models'}) do call('PEXPIRE', P .. name, factsMs) end
for at = 5, #ARGV, 2 do
  call('SET', P .. 'model:' .. ARGV[at], ARGV[at + 1], 'PX', factsMs)
  call('ZADD', P .. 'models', 'NX', time, ARGV[at])
end
call('PUBLISH', TOLD .. 'workers-changed', id)
`

/** A worker says goodbye: it runs nothing any more. */
export const withdraw = `
local id = ARGV[1]
call('DEL', P .. 'worker:' .. id)
call('ZREM', P .. 'workers', id)
call('ZREM', P .. 'heard', id)
call('PUBLISH', TOLD .. 'workers-changed', id)
`
