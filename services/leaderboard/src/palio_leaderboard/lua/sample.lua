-- Some consecutive players of a board from a random place, for the drift audit.
-- KEYS[1] ordering of the board (zset)  KEYS[2] players (hash, not read)  KEYS[3] meta (hash)
-- ARGV    a number in [0, 1), players
-- Answers nil while the board is not ready, else {member, score, ...}.
if redis.call('HGET', KEYS[3], 'state') ~= 'ready' then return false end
local first = math.floor(redis.call('ZCARD', KEYS[1]) * ARGV[1])
return redis.call('ZRANGE', KEYS[1], first, first + ARGV[2] - 1, 'WITHSCORES')
