-- A player and his neighbours, all at one moment; never fewer than 2 * radius + 1 rows if the board has them.
-- KEYS[1] ordering of the board (zset)  KEYS[2] players (hash)  KEYS[3] meta (hash)
-- ARGV    user id (16 bytes), radius
-- Answers nil while the board is not ready, else as page.lua; without rows if the player has no standing.
local meta = redis.call('HMGET', KEYS[3], 'epoch', 'version', 'state')
if meta[3] ~= 'ready' then return false end
local total = redis.call('ZCARD', KEYS[1])
local state = redis.call('HGET', KEYS[2], ARGV[1])
local index = state and redis.call('ZRANK', KEYS[1], state:sub(1, 8) .. ARGV[1])
if not index then return {meta[1], meta[2], total, 0, 0, {}} end
local size = 2 * ARGV[2] + 1
local first = math.max(0, math.min(index - ARGV[2], total - size))
local rows = redis.call('ZRANGE', KEYS[1], first, first + size - 1, 'WITHSCORES')
return {meta[1], meta[2], total, first, redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. rows[2]), rows}
