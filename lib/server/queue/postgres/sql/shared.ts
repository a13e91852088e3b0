import { MOST_OVERTAKEN } from '../../../jobs/fair-queue.js'
import { MOST_WAITING } from '../../../webhooks/retry.js'
import { MOST_TOLD, UNKEPT_MS } from '../../queue-database.js'

/** `NOTIFY` takes less than 8000 bytes. */
const MOST_NOTIFIED = 7500

/**
 * Between two places in a lane. Whoever goes ahead of others halves what is between them, and each of them is overtaken
 * `MOST_OVERTAKEN` times at most, so there is always a place.
 */
const GAP = 2n ** BigInt(MOST_OVERTAKEN + 1)

/**
 * What the steps share. A step that looks at more than its job's own row holds the lock of the queue, and takes it before any
 * row: so nobody waits for somebody who waits for it. Each statement of a function sees what was there when it began.
 */
export const shared = `
CREATE FUNCTION lock_queue() RETURNS void LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock(hashtext('wuerstchen'), 1) $$;

CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- A job as it is read: without what is long, and nobody asks for.
CREATE FUNCTION record_of(j job) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(j) - '{work,late,fingerprint,ticket}'::text[]
$$;

CREATE FUNCTION told(p_name text, p_text text) RETURNS void LANGUAGE sql AS $$
  SELECT pg_notify('wuerstchen:' || p_name, p_text)
$$;

-- A message of a job, as it goes out: its number, its kind, its contents. One that is too long is read by whoever hears of it.
CREATE FUNCTION tell(p_id text, p_seq integer, p_kind text, p_contents text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF octet_length(p_contents) <= ${MOST_NOTIFIED} THEN
    PERFORM told('news:' || p_id, p_seq || ' ' || p_kind || ' ' || p_contents);
  ELSE
    INSERT INTO message (job, seq, contents) VALUES (p_id, p_seq, p_contents);
    PERFORM told('news:' || p_id, p_seq || ' ' || p_kind);
  END IF;
END $$;

CREATE FUNCTION tell_view(p_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_seq integer;
BEGIN
  UPDATE job SET seq = seq + 1 WHERE id = p_id RETURNING seq INTO v_seq;
  PERFORM tell(p_id, v_seq, 'view', '');
END $$;

-- The owner takes part from now on.
CREATE FUNCTION enter(p_model text, p_owner text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_clock double precision := COALESCE((SELECT clock FROM lane_clock WHERE model = p_model), 0);
BEGIN
  INSERT INTO owner_pass AS p (model, owner, pass, used_at) VALUES (p_model, p_owner, v_clock, now_ms())
    ON CONFLICT (model, owner) DO UPDATE SET pass = GREATEST(v_clock, p.pass), used_at = EXCLUDED.used_at;
END $$;

-- Into its owner's lane, before those of its owner that have a lower priority and let it pass.
CREATE FUNCTION push(p_id text, p_model text, p_owner text, p_priority integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_before bigint;
  v_after  bigint;
BEGIN
  SELECT max(place) INTO v_before FROM job
    WHERE model = p_model AND owner = p_owner AND place IS NOT NULL
      AND (priority >= p_priority OR overtaken >= ${MOST_OVERTAKEN});
  SELECT min(place) INTO v_after FROM job
    WHERE model = p_model AND owner = p_owner AND place IS NOT NULL AND (v_before IS NULL OR place > v_before);
  UPDATE job SET overtaken = overtaken + 1
    WHERE model = p_model AND owner = p_owner AND place IS NOT NULL AND place >= v_after;
  UPDATE job SET place = CASE
      WHEN v_before IS NULL AND v_after IS NULL THEN 0
      WHEN v_after IS NULL THEN v_before + ${GAP}
      WHEN v_before IS NULL THEN v_after - ${GAP}
      ELSE v_before + (v_after - v_before) / 2
    END
    WHERE id = p_id;
  PERFORM enter(p_model, p_owner);
END $$;

-- Before all others of its owner: it had its turn.
CREATE FUNCTION push_first(p_id text, p_model text, p_owner text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE job SET place = COALESCE(
      (SELECT min(place) - ${GAP} FROM job WHERE model = p_model AND owner = p_owner AND place IS NOT NULL), 0)
    WHERE id = p_id;
  PERFORM enter(p_model, p_owner);
END $$;

-- A database cannot delete files elsewhere. It knows whose are left, until somebody has deleted them.
CREATE FUNCTION leave_files(p_id text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO left_over (job, due) VALUES (p_id, now_ms()) ON CONFLICT (job) DO UPDATE SET due = EXCLUDED.due
$$;

-- The end of a job that wants to be told of. It is written with the end itself, with all that its message says, so that it
-- outlives the job's record, and the server that took the job on.
CREATE FUNCTION add_hook(p_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  j      job;
  v_name text;
BEGIN
  SELECT * INTO j FROM job WHERE id = p_id;
  -- A job that is sent again can end a second time while the message of the first end is on its way.
  v_name := concat_ws('_', p_id, j.state, j.ended_at);
  IF j.hook_host = '' THEN RETURN; END IF;
  IF (SELECT count(*) FROM hook) >= ${MOST_WAITING} THEN
    INSERT INTO lost_hook (name, host, at) VALUES (v_name, j.hook_host, now_ms());
    DELETE FROM lost_hook WHERE number <= (SELECT max(number) FROM lost_hook) - ${MOST_TOLD};
    RETURN;
  END IF;
  INSERT INTO hook (name, host, due, ended_at, job)
    VALUES (v_name, j.hook_host, j.ended_at, j.ended_at, record_of(j) - 'result');
  PERFORM told('hook', '');
END $$;

-- The last change of state. What is over stays as it is: the first end is the one that is seen. A job that is buried keeps its
-- inputs. p_own is the run that says so itself.
CREATE FUNCTION finish(
  p_id text, p_state text, p_error text, p_result text, p_bytes bigint, p_again boolean, p_buried boolean DEFAULT false,
  p_own integer DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  j      job;
  v_time bigint;
  v_ends bigint;
BEGIN
  SELECT * INTO j FROM job WHERE id = p_id FOR UPDATE;
  IF NOT FOUND OR j.ended_at IS NOT NULL THEN RETURN false; END IF;
  v_time := now_ms();
  v_ends := v_time + CASE WHEN j.keep THEN j.kept_ms ELSE ${UNKEPT_MS} END;
  UPDATE job SET state = p_state, ended_at = v_time, error = p_error, result = p_result, bytes = p_bytes, again = p_again,
      place = NULL, held_at = NULL, expires_at = v_ends, input_bytes = 0, work = CASE WHEN p_buried THEN work END
    WHERE id = p_id;
  DELETE FROM part WHERE job = p_id AND (side = 'in' AND NOT p_buried OR side = 'out' AND p_state <> 'succeeded');
  UPDATE part SET ends_at = v_ends + ${UNKEPT_MS} WHERE job = p_id;
  IF j.elsewhere AND (j.input_bytes > 0 OR p_state <> 'succeeded') THEN PERFORM leave_files(p_id); END IF;
  -- Also of a job that only waits: a worker that lost its ticket may still be at it.
  IF j.run > 0 AND j.run IS DISTINCT FROM p_own THEN PERFORM told('stop', p_id || ' ' || j.run); END IF;
  PERFORM tell_view(p_id);
  PERFORM add_hook(p_id);
  RETURN true;
END $$;

-- Inputs that have been put away for the next job with the id stay.
CREATE FUNCTION forget(p_id text, p_inputs_stay boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  j job;
BEGIN
  DELETE FROM job WHERE id = p_id RETURNING * INTO j;
  IF j.elsewhere THEN PERFORM leave_files(p_id); END IF;
  IF j.keep THEN INSERT INTO gone (id) VALUES (p_id) ON CONFLICT (id) DO NOTHING; END IF;
  DELETE FROM part WHERE job = p_id AND NOT (side = 'in' AND p_inputs_stay);
END $$;
`
