-- Begin to build a board anew: whatever stood there is gone, and applies reach the new one from now on.
-- KEYS[1] order   KEYS[2] players   KEYS[3] meta
-- ARGV[1] id of this rebuild   ARGV[2] the Redis process that holds it
redis.call('UNLINK', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[3], 'state', 'building', 'build', ARGV[1], 'run', ARGV[2])
return 1
