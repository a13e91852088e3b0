import { HOOK_MS, MOST_GONE, MOST_SWEPT } from '../../queue-database.js'

const DAY_MS = 24 * 3600 * 1000

/** A look that takes longer than a server waits would be undone, and so would the next ones. Files take the most time. */
const LOOK = `interval '200 ms'`

/**
 * Ends what is too late, forgets what has been kept for long enough, decides on jobs whose workers were looked for, and says how
 * many jobs of each model wait. Rows that somebody else holds are left to the next look.
 */
export const sweep = `
CREATE FUNCTION sweep(p_max_kept bigint, p_max_bytes bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_end   timestamptz := clock_timestamp() + ${LOOK};
  v_held  boolean := EXISTS (SELECT FROM job WHERE held_at IS NOT NULL);
  v_time  bigint;
  v_kept  bigint;
  v_bytes bigint;
  v_most  bigint;
  v_part  tid;
  j       job;
BEGIN
  -- The lock comes before any row.
  IF v_held THEN PERFORM lock_queue(); END IF;
  v_time := now_ms();
  INSERT INTO up (since, seen) VALUES (0, v_time)
    ON CONFLICT (one) DO UPDATE SET since = up_since(v_time), seen = GREATEST(up.seen, EXCLUDED.seen);
  FOR j IN SELECT * FROM job WHERE v_held AND held_at IS NOT NULL ORDER BY held_at LIMIT ${MOST_SWEPT} FOR UPDATE SKIP LOCKED LOOP
    DECLARE
      v_verdict text := CASE WHEN j.state = 'queued' THEN judge(j.id) ELSE 'over' END;
    BEGIN
      IF v_verdict <> 'hold' THEN UPDATE job SET held_at = NULL WHERE id = j.id; END IF;
      IF v_verdict = 'run' THEN PERFORM push_first(j.id, j.model, j.owner); END IF;
    END;
  END LOOP;
  FOR j IN SELECT * FROM job WHERE ended_at IS NULL AND deadline <= v_time ORDER BY deadline LIMIT ${MOST_SWEPT}
    FOR UPDATE SKIP LOCKED
  LOOP
    PERFORM finish(j.id, 'failed', j.late, '', 0, false);
    EXIT WHEN clock_timestamp() > v_end;
  END LOOP;
  FOR j IN SELECT * FROM job WHERE expires_at <= v_time ORDER BY expires_at LIMIT ${MOST_SWEPT} FOR UPDATE SKIP LOCKED LOOP
    EXIT WHEN clock_timestamp() > v_end;
    PERFORM forget(j.id);
  END LOOP;
  IF p_max_kept IS NOT NULL THEN
    SELECT count(*), COALESCE(sum(bytes), 0) INTO v_kept, v_bytes FROM job WHERE keep AND ended_at IS NOT NULL;
    IF v_kept > p_max_kept OR v_bytes > p_max_bytes THEN
      FOR j IN SELECT * FROM job WHERE keep AND ended_at IS NOT NULL ORDER BY ended_at LIMIT ${MOST_SWEPT}
        FOR UPDATE SKIP LOCKED
      LOOP
        EXIT WHEN v_kept <= p_max_kept AND v_bytes <= p_max_bytes OR clock_timestamp() > v_end;
        PERFORM forget(j.id);
        v_kept := v_kept - 1;
        v_bytes := v_bytes - j.bytes;
      END LOOP;
    END IF;
  END IF;
  FOR v_part IN SELECT ctid FROM part WHERE ends_at <= v_time LIMIT ${MOST_SWEPT} FOR UPDATE SKIP LOCKED LOOP
    EXIT WHEN clock_timestamp() > v_end;
    DELETE FROM part WHERE ctid = v_part;
  END LOOP;
  DELETE FROM counted WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM counted WHERE ends_at <= v_time LIMIT ${MOST_SWEPT} FOR UPDATE SKIP LOCKED));
  SELECT max(number) INTO v_most FROM gone;
  DELETE FROM gone WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM gone WHERE number <= v_most - ${MOST_GONE} LIMIT ${MOST_SWEPT} FOR UPDATE SKIP LOCKED));
  -- What nobody has asked for: there is nobody who sends webhooks, deletes files elsewhere, or wants the model.
  DELETE FROM hook WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM hook WHERE due <= v_time - ${2 * HOOK_MS} LIMIT ${MOST_SWEPT} FOR UPDATE SKIP LOCKED));
  DELETE FROM left_over WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM left_over WHERE due <= v_time - ${8 * DAY_MS} LIMIT ${MOST_SWEPT} FOR UPDATE SKIP LOCKED));
  DELETE FROM owner_pass p WHERE used_at <= v_time - ${DAY_MS}
    AND NOT EXISTS (SELECT FROM job WHERE model = p.model AND owner = p.owner AND place IS NOT NULL);
  DELETE FROM lane_clock c WHERE used_at <= v_time - ${DAY_MS} AND NOT EXISTS (SELECT FROM owner_pass WHERE model = c.model);
  DELETE FROM turn WHERE ends_at <= v_time - ${DAY_MS};
  DELETE FROM lost_hook WHERE at <= v_time - ${HOOK_MS};
  DELETE FROM worker WHERE said_at <= v_time - ${DAY_MS};
  DELETE FROM model WHERE ends_at <= v_time;
  RETURN COALESCE(
    (SELECT jsonb_object_agg(model, waiting) FROM (
      SELECT model, count(*) AS waiting FROM job WHERE place IS NOT NULL GROUP BY model) AS each),
    '{}');
END $$;
`
