/** Takes a job on, or says that it is known, or why it is refused. */
export const accept = `
CREATE FUNCTION accept(
  p_id text, p_fixed text, p_work text, p_model text, p_owner text, p_priority integer, p_cost double precision,
  p_images integer, p_keep boolean, p_timeout_ms bigint, p_kept_ms bigint, p_bytes bigint, p_fingerprint text, p_late text,
  p_elsewhere boolean, p_hook_host text,
  p_max_queued bigint, p_max_per_key bigint, p_max_bytes bigint, p_max_bytes_per_key bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known  job;
  v_time bigint;
BEGIN
  PERFORM lock_queue();
  SELECT * INTO known FROM job WHERE id = p_id FOR UPDATE;
  IF FOUND THEN
    IF known.again THEN PERFORM forget(p_id, true);
    ELSIF known.fingerprint <> p_fingerprint THEN RETURN 'conflict';
    ELSE RETURN 'known';
    END IF;
  END IF;
  IF (SELECT count(*) FROM job WHERE place IS NOT NULL) >= p_max_queued THEN RETURN 'maxQueued'; END IF;
  IF (SELECT count(*) FROM job WHERE owner = p_owner AND place IS NOT NULL) >= p_max_per_key THEN
    RETURN 'maxQueuedPerKey';
  END IF;
  IF (SELECT COALESCE(sum(input_bytes), 0) FROM job WHERE input_bytes > 0) + p_bytes > p_max_bytes THEN
    RETURN 'maxHeldBytes';
  END IF;
  IF (SELECT COALESCE(sum(input_bytes), 0) FROM job WHERE owner = p_owner AND input_bytes > 0) + p_bytes > p_max_bytes_per_key THEN
    RETURN 'maxHeldBytesPerKey';
  END IF;
  v_time := now_ms();
  INSERT INTO job (id, fixed, work, model, owner, priority, cost, images, keep, timeout_ms, kept_ms, input_bytes, fingerprint,
      late, elsewhere, hook_host, created_at, deadline)
    VALUES (p_id, p_fixed, p_work, p_model, p_owner, p_priority, p_cost, p_images, p_keep, p_timeout_ms, p_kept_ms, p_bytes,
      p_fingerprint, p_late, p_elsewhere, p_hook_host, v_time, v_time + p_timeout_ms);
  PERFORM push(p_id, p_model, p_owner, p_priority);
  RETURN 'accepted';
END $$;
`
