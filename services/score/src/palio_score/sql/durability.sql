-- The settings without which an acknowledged score may be lost.
SELECT name, setting FROM pg_settings
WHERE name IN ('synchronous_commit', 'fsync', 'full_page_writes') AND setting IN ('off', 'local')
