import { HOOK_MS, MOST_TOLD } from '../../queue-database.js'

/**
 * Webhooks that are due, leased to whoever asks: if it is not heard of again, another one has them after the lease. Each host has
 * its own line, and only so many of it are on their way.
 */
export const hooks = `
CREATE FUNCTION take_hooks(p_lease_ms bigint, p_most integer, p_most_of_host integer, p_held jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  v_time bigint := now_ms();
  v_lost text[];
  v_old  text[];
  v_due  jsonb;
BEGIN
  WITH told AS (
    DELETE FROM lost_hook WHERE number = ANY (ARRAY(
      SELECT number FROM lost_hook ORDER BY number LIMIT ${MOST_TOLD} FOR UPDATE SKIP LOCKED))
    RETURNING name, host)
  SELECT array_agg(name || ' ' || host) INTO v_lost FROM told;
  WITH old AS (
    DELETE FROM hook WHERE name = ANY (ARRAY(
      SELECT name FROM hook WHERE due <= v_time AND ended_at + ${HOOK_MS} < v_time LIMIT ${MOST_TOLD} FOR UPDATE SKIP LOCKED))
    RETURNING name, host)
  SELECT array_agg(name || ' ' || host) INTO v_old FROM old;
  WITH placed AS (
    SELECT name, host, row_number() OVER (PARTITION BY host ORDER BY due) AS place FROM hook WHERE due <= v_time
  ), wanted AS (
    -- Hosts come in another order each time, so that none is always the last.
    SELECT name FROM placed
      WHERE place <= p_most_of_host - COALESCE((p_held->>host)::integer, 0)
      ORDER BY place, md5(host || v_time) LIMIT p_most
  ), free AS (
    -- Again whether it is due: somebody can have taken it meanwhile.
    SELECT name FROM hook WHERE name IN (SELECT name FROM wanted) AND due <= v_time FOR UPDATE SKIP LOCKED
  ), taken AS (
    UPDATE hook SET attempts = attempts + 1, due = v_time + p_lease_ms WHERE name IN (SELECT name FROM free)
    RETURNING name, attempts, job)
  SELECT jsonb_agg(jsonb_build_object('name', name, 'attempts', attempts, 'job', job)) INTO v_due FROM taken;
  RETURN jsonb_build_object('due', COALESCE(v_due, '[]'), 'lost', to_jsonb(COALESCE(v_lost || v_old, v_lost, v_old, '{}')));
END $$;
`
