/**
 * Times are milliseconds since 1970, by the clock of the database.
 *
 * What a job has of order is in its row: `place` is its place in the lane of its owner, while it waits there. One that is queued
 * without a place has a ticket, or is `held` until it is known whether its workers have ended.
 */
export const tables = `
CREATE SEQUENCE run_number AS integer CYCLE;

CREATE TABLE job (
  id          text PRIMARY KEY,
  listed      bigint GENERATED ALWAYS AS IDENTITY,
  fixed       text NOT NULL,
  work        text,
  model       text NOT NULL,
  owner       text NOT NULL,
  priority    integer NOT NULL,
  cost        double precision NOT NULL,
  images      integer NOT NULL,
  keep        boolean NOT NULL,
  timeout_ms  bigint NOT NULL,
  kept_ms     bigint NOT NULL,
  input_bytes bigint NOT NULL,
  dead_bytes  bigint NOT NULL DEFAULT 0,
  fingerprint text NOT NULL,
  late        text NOT NULL,
  elsewhere   boolean NOT NULL,
  hook_host   text NOT NULL,
  state       text NOT NULL DEFAULT 'queued',
  created_at  bigint NOT NULL,
  started_at  bigint,
  ended_at    bigint,
  deadline    bigint NOT NULL,
  expires_at  bigint,
  place       bigint,
  overtaken   integer NOT NULL DEFAULT 0,
  ticket      text,
  held_at     bigint,
  dead_at     bigint,
  run         integer NOT NULL DEFAULT 0,
  settled     integer,
  ran_by      text,
  seq         integer NOT NULL DEFAULT 0,
  progress    jsonb NOT NULL DEFAULT '{}',
  error       text NOT NULL DEFAULT '',
  result      text NOT NULL DEFAULT '',
  bytes       bigint NOT NULL DEFAULT 0,
  again       boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX job_lane ON job (model, owner, place) WHERE place IS NOT NULL;
CREATE INDEX job_waiting ON job (owner) WHERE place IS NOT NULL;
CREATE INDEX job_inputs ON job (owner) INCLUDE (input_bytes) WHERE input_bytes > 0;
CREATE INDEX job_deadline ON job (deadline) WHERE ended_at IS NULL;
CREATE INDEX job_running ON job (images) WHERE state = 'running';
CREATE INDEX job_held ON job (held_at) WHERE held_at IS NOT NULL;
CREATE INDEX job_ticket ON job (ticket) WHERE ticket IS NOT NULL;
CREATE INDEX job_shelf ON job (ended_at) INCLUDE (bytes) WHERE keep AND ended_at IS NOT NULL;
CREATE INDEX job_expires ON job (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX job_dead ON job (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX job_listed ON job (listed) WHERE keep;
CREATE INDEX job_owned ON job (owner, listed) WHERE keep;

-- Workers that lost a ticket of a job while they ran it, and when.
CREATE TABLE missed (
  job    text NOT NULL REFERENCES job ON DELETE CASCADE,
  worker text NOT NULL,
  at     bigint NOT NULL,
  PRIMARY KEY (job, worker)
);

-- What a job had to say that is too long to be told by NOTIFY.
CREATE TABLE message (
  job      text NOT NULL REFERENCES job ON DELETE CASCADE,
  seq      integer NOT NULL,
  contents text NOT NULL,
  PRIMARY KEY (job, seq)
);

-- How far each owner has got, and how far the model's queue has.
CREATE TABLE owner_pass (
  model   text NOT NULL,
  owner   text NOT NULL,
  pass    double precision NOT NULL,
  used_at bigint NOT NULL,
  PRIMARY KEY (model, owner)
);
CREATE TABLE lane_clock (
  model   text PRIMARY KEY,
  clock   double precision NOT NULL,
  used_at bigint NOT NULL
);

-- Files of jobs. Inputs are there before their job.
CREATE TABLE part (
  job     text NOT NULL,
  side    text NOT NULL,
  name    text NOT NULL,
  bytes   bytea NOT NULL,
  ends_at bigint NOT NULL,
  PRIMARY KEY (job, side, name)
);
-- Images are compressed already.
ALTER TABLE part ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE INDEX part_ends ON part (ends_at);

-- Jobs that are known no longer, and those that may have files elsewhere.
CREATE TABLE gone (
  id text PRIMARY KEY,
  number bigint GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX gone_number ON gone (number);
CREATE TABLE left_over (
  job text PRIMARY KEY,
  due bigint NOT NULL
);
CREATE INDEX left_over_due ON left_over (due);

CREATE TABLE hook (
  name     text PRIMARY KEY,
  host     text NOT NULL,
  due      bigint NOT NULL,
  ended_at bigint NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  job      jsonb NOT NULL
);
CREATE INDEX hook_due ON hook (due);
CREATE TABLE lost_hook (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name   text NOT NULL,
  host   text NOT NULL,
  at     bigint NOT NULL
);

-- Workers by their last word, but for those that said goodbye.
CREATE TABLE worker (
  id           text PRIMARY KEY,
  announcement text NOT NULL,
  said_at      bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE model (
  name    text PRIMARY KEY,
  number  bigint GENERATED ALWAYS AS IDENTITY,
  facts   text NOT NULL,
  ends_at bigint NOT NULL
) WITH (fillfactor = 50);

-- Since when somebody has looked without a break, and the last look.
CREATE TABLE up (
  one   boolean PRIMARY KEY DEFAULT true CHECK (one),
  since bigint NOT NULL,
  seen  bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE setting (
  name  text PRIMARY KEY,
  value text NOT NULL
);
CREATE TABLE turn (
  name    text PRIMARY KEY,
  ends_at bigint NOT NULL
);
CREATE TABLE counted (
  name    text PRIMARY KEY,
  current integer NOT NULL,
  ends_at bigint NOT NULL
);
CREATE INDEX counted_ends ON counted (ends_at);
`
