/** Counts something that is forgotten after so long. */
export const count = `
local key = P .. 'count:' .. ARGV[1]
local current = call('INCR', key)
if current == 1 then call('PEXPIRE', key, ARGV[2]) end
return {current, call('PTTL', key)}
`

/** Whether it is the caller's turn, which comes once in so long. */
export const turn = `
if call('SET', P .. ARGV[1], 1, 'NX', 'PX', ARGV[2]) then return 1 end
return 0
`
