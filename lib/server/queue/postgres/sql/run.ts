import { SPARE_MS } from '../../queue-database.js'

/**
 * A run that lost its ticket goes on, and its result counts, until another run has begun: what an outage of the queue took from
 * its worker is not lost with it.
 */
export const runs = `
-- What a run has to say: steps by image, then messages. False: nobody wants to hear it any more.
CREATE FUNCTION report(p_id text, p_run integer, p_steps jsonb, p_messages jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_count integer := jsonb_array_length(p_messages);
  v_seq   integer;
BEGIN
  UPDATE job SET progress = progress || p_steps, seq = seq + v_count WHERE id = p_id AND run = p_run AND ended_at IS NULL
    RETURNING seq INTO v_seq;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM tell(p_id, (v_seq - v_count + number)::integer, each->>'kind', each->>'contents')
    FROM jsonb_array_elements(p_messages) WITH ORDINALITY AS messages (each, number);
  RETURN true;
END $$;

-- How a run ended. A database that was killed may have forgotten files, with synchronous_commit = off.
CREATE FUNCTION settle(
  p_id text, p_run integer, p_state text, p_error text, p_result text, p_bytes bigint, p_again boolean, p_parts text[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  j job;
BEGIN
  SELECT * INTO j FROM job WHERE id = p_id FOR UPDATE;
  -- A connection that is cut has it asked again of which there was no answer.
  IF j.settled = p_run THEN RETURN 'seen'; END IF;
  IF j.id IS NULL OR j.ended_at IS NOT NULL OR j.run <> p_run THEN RETURN 'unseen'; END IF;
  IF (SELECT count(*) FROM part WHERE job = p_id AND side = 'out' AND name = ANY (p_parts)) < cardinality(p_parts) THEN
    RETURN 'incomplete';
  END IF;
  UPDATE job SET settled = p_run WHERE id = p_id;
  -- Previews, and what earlier runs have left.
  DELETE FROM part WHERE job = p_id AND side = 'out' AND NOT starts_with(name, p_run || 'i');
  PERFORM finish(p_id, p_state, p_error, p_result, p_bytes, p_again, false, p_run);
  RETURN 'seen';
END $$;

-- A run that its worker gives back: another one goes on with it.
CREATE FUNCTION release(p_id text, p_run integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE job SET state = 'queued' WHERE id = p_id AND run = p_run AND state = 'running';
  IF FOUND THEN PERFORM tell_view(p_id); END IF;
END $$;

-- Sends a dead letter again, as the same job; gives its model.
CREATE FUNCTION send_again(p_id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  j      job;
  v_time bigint;
BEGIN
  PERFORM lock_queue();
  SELECT * INTO j FROM job WHERE id = p_id AND dead_at IS NOT NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  v_time := now_ms();
  DELETE FROM missed WHERE job = p_id;
  UPDATE job SET state = 'queued', error = '', ended_at = NULL, expires_at = NULL, dead_at = NULL, again = false, ticket = NULL,
      deadline = v_time + timeout_ms, input_bytes = dead_bytes
    WHERE id = p_id;
  UPDATE part SET ends_at = v_time + j.timeout_ms + j.kept_ms + ${SPARE_MS} WHERE job = p_id AND side = 'in';
  PERFORM push(p_id, j.model, j.owner, j.priority);
  PERFORM tell_view(p_id);
  RETURN j.model;
END $$;
`
