/**
 * What the holder of a ticket is to do. A ticket that stands for a job stands for the same job again: its worker has given it
 * back, or does not hold it any more. Any other stands for the job whose turn it is.
 */
export const claim = `
CREATE FUNCTION claim(p_model text, p_ticket text, p_worker text, p_room integer, p_idle boolean) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  j         job;
  v_verdict text;
  v_owner   text;
  v_pass    double precision;
  v_before  integer;
BEGIN
  PERFORM lock_queue();
  SELECT * INTO j FROM job WHERE ticket = p_ticket FOR UPDATE;
  IF FOUND THEN
    IF j.ended_at IS NOT NULL THEN
      UPDATE job SET ticket = NULL WHERE id = j.id;
      RETURN '{"verdict":"nothing"}';
    END IF;
    -- Whoever takes it again itself is there.
    IF j.state = 'running' AND j.ran_by <> p_worker THEN
      PERFORM take_over(j.id, j.ran_by);
      v_verdict := judge(j.id);
      IF v_verdict <> 'run' THEN
        UPDATE job SET ticket = NULL, held_at = CASE WHEN v_verdict = 'hold' THEN now_ms() END WHERE id = j.id;
        j := NULL;
      END IF;
    END IF;
    IF j.id IS NOT NULL AND NOT (p_idle OR j.images <= p_room) THEN RETURN '{"verdict":"wait"}'; END IF;
  END IF;
  WHILE j.id IS NULL LOOP
    SELECT owner, pass INTO v_owner, v_pass FROM owner_pass p
      WHERE model = p_model
        AND EXISTS (SELECT FROM job WHERE model = p_model AND owner = p.owner AND place IS NOT NULL)
      ORDER BY pass, owner COLLATE "C" LIMIT 1;
    IF NOT FOUND THEN RETURN '{"verdict":"nothing"}'; END IF;
    SELECT * INTO j FROM job WHERE model = p_model AND owner = v_owner AND place IS NOT NULL ORDER BY place LIMIT 1 FOR UPDATE;
    -- It has ended meanwhile.
    CONTINUE WHEN NOT FOUND;
    IF j.deadline <= now_ms() THEN
      PERFORM finish(j.id, 'failed', j.late, '', 0, false);
      j := NULL;
      CONTINUE;
    END IF;
    IF NOT (p_idle OR j.images <= p_room) THEN RETURN '{"verdict":"wait"}'; END IF;
    UPDATE job SET place = NULL, ticket = p_ticket WHERE id = j.id;
    INSERT INTO lane_clock (model, clock, used_at) VALUES (p_model, v_pass, now_ms())
      ON CONFLICT (model) DO UPDATE SET clock = EXCLUDED.clock, used_at = EXCLUDED.used_at;
    UPDATE owner_pass SET pass = v_pass + j.cost, used_at = now_ms() WHERE model = p_model AND owner = v_owner;
    -- An owner keeps its pass until the others have caught up.
    DELETE FROM owner_pass p WHERE model = p_model AND pass <= v_pass
      AND NOT EXISTS (SELECT FROM job WHERE model = p_model AND owner = p.owner AND place IS NOT NULL);
  END LOOP;
  v_before := j.run;
  -- No number comes twice: a job that is accepted anew has the id of one whose worker may still be at it.
  UPDATE job SET run = nextval('run_number'), state = 'running', ran_by = p_worker, started_at = COALESCE(started_at, now_ms())
    WHERE id = j.id;
  PERFORM tell_view(j.id);
  SELECT * INTO j FROM job WHERE id = j.id;
  -- A worker that lost its ticket may still be at it.
  IF v_before > 0 THEN PERFORM told('stop', j.id || ' ' || v_before); END IF;
  RETURN jsonb_build_object('verdict', 'run', 'run', j.run::text, 'work', j.work, 'job', record_of(j));
END $$;
`
