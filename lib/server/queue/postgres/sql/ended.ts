import { BREAK_MS, DEAD_MS, FORGOTTEN_MS, MOST_ENDED } from '../../queue-database.js'

/**
 * Whether workers have ended that do not hold the ticket of their job any more. One has where it was not heard again, did not
 * say goodbye, and where the queue was there all the time: an outage takes tickets from workers that are well, and their last
 * word too.
 * @param failure what a job failed with that has ended its workers
 */
export const ended = (failure: string) => `
-- Since when the queue has been there without a break.
CREATE FUNCTION up_since(p_time bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT COALESCE((SELECT CASE WHEN p_time - seen > ${BREAK_MS} THEN p_time ELSE since END FROM up), 0)
$$;

-- Somebody else is to run what a worker has no ticket for any more. Whether that has ended is seen later.
CREATE FUNCTION take_over(p_id text, p_worker text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO missed (job, worker, at) VALUES (p_id, p_worker, now_ms()) ON CONFLICT (job, worker) DO UPDATE SET at = EXCLUDED.at;
  UPDATE job SET state = 'queued' WHERE id = p_id;
  PERFORM tell_view(p_id);
END $$;

-- The job has failed, and stays with its inputs so that it can be sent again.
CREATE FUNCTION bury(p_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_bytes bigint := (SELECT input_bytes FROM job WHERE id = p_id FOR UPDATE);
BEGIN
  IF NOT finish(p_id, 'failed', $failure$${failure}$failure$, '', 0, false, true) THEN RETURN; END IF;
  UPDATE job SET dead_at = ended_at, dead_bytes = v_bytes, expires_at = ended_at + ${DEAD_MS} WHERE id = p_id;
  UPDATE part SET ends_at = now_ms() + ${DEAD_MS} WHERE job = p_id;
END $$;

-- 'run': another worker is to run it; 'hold': first it has to be known whether its workers have ended; 'over': they have.
CREATE FUNCTION judge(p_id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_time  bigint := now_ms();
  v_since bigint := up_since(v_time);
  v_gone  integer;
  v_open  integer;
BEGIN
  DELETE FROM missed m WHERE job = p_id
    AND NOT EXISTS (SELECT FROM worker WHERE id = m.worker AND said_at >= v_since AND said_at <= m.at);
  SELECT count(*) FILTER (WHERE said_at + ${FORGOTTEN_MS} <= v_time), count(*) FILTER (WHERE said_at + ${FORGOTTEN_MS} > v_time)
    INTO v_gone, v_open
    FROM missed JOIN worker ON worker.id = missed.worker WHERE job = p_id;
  IF v_gone >= ${MOST_ENDED} THEN
    PERFORM bury(p_id);
    RETURN 'over';
  END IF;
  RETURN CASE WHEN v_gone + v_open >= ${MOST_ENDED} THEN 'hold' ELSE 'run' END;
END $$;
`
