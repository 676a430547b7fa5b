-- Roles of a PostgreSQL server for Paystream, run by its administrator once, and again (then schemas.sql too)
-- when a release brings new ones; those that exist stay as they are:
--   psql -v gateway_owner_password=… -v gateway_app_password=… (and so on) -f roles.sql
-- <service>_owner owns the service's schema and migrates it; <service>_app runs the service and
-- may only use what migrations grant to it; <service>_eraser may read and blank personal data,
-- nothing else. The time-outs keep one stuck client from holding everyone: a lock waits 2 s, a statement
-- 10 s, an open transaction may idle 5 s.
\set ON_ERROR_STOP on

SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', role, password) FROM (VALUES
  ('gateway_owner', :'gateway_owner_password'),
  ('gateway_app', :'gateway_app_password'),
  ('gateway_eraser', :'gateway_eraser_password'),
  ('payments_owner', :'payments_owner_password'),
  ('payments_app', :'payments_app_password'),
  ('payments_eraser', :'payments_eraser_password'),
  ('notifier_owner', :'notifier_owner_password'),
  ('notifier_app', :'notifier_app_password'),
  ('notifier_eraser', :'notifier_eraser_password'),
  ('reconciler_owner', :'reconciler_owner_password'),
  ('reconciler_app', :'reconciler_app_password'),
  ('reconciler_eraser', :'reconciler_eraser_password')
) AS wanted (role, password) WHERE role NOT IN (SELECT rolname FROM pg_roles)
\gexec

DO $$
DECLARE service text; kind text;
BEGIN
  FOREACH service IN ARRAY ARRAY['gateway', 'payments', 'notifier', 'reconciler'] LOOP
    EXECUTE format('ALTER ROLE %I SET search_path = %I', service || '_owner', service);
    FOREACH kind IN ARRAY ARRAY['_app', '_eraser'] LOOP
      EXECUTE format('ALTER ROLE %I SET search_path = %I', service || kind, service);
      EXECUTE format('ALTER ROLE %I SET lock_timeout = ''2s''', service || kind);
      EXECUTE format('ALTER ROLE %I SET statement_timeout = ''10s''', service || kind);
      EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''5s''', service || kind);
    END LOOP;
  END LOOP;
END $$;
