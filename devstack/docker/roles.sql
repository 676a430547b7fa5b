-- Roles of a PostgreSQL server for Paystream, run once by its administrator:
--   psql -v gateway_owner_password=… -v gateway_app_password=… (and so on) -f roles.sql
-- <service>_owner owns the service's schema and migrates it; <service>_app runs the service and
-- may only use what migrations grant to it; <service>_eraser may read and blank personal data,
-- nothing else. The time-outs keep one stuck client from holding everyone: a lock waits 2 s, a statement 10 s, an open transaction may idle 5 s.
\set ON_ERROR_STOP on

CREATE ROLE gateway_owner    LOGIN PASSWORD :'gateway_owner_password';
CREATE ROLE gateway_app      LOGIN PASSWORD :'gateway_app_password';
CREATE ROLE gateway_eraser   LOGIN PASSWORD :'gateway_eraser_password';
CREATE ROLE payments_owner   LOGIN PASSWORD :'payments_owner_password';
CREATE ROLE payments_app     LOGIN PASSWORD :'payments_app_password';
CREATE ROLE payments_eraser  LOGIN PASSWORD :'payments_eraser_password';
CREATE ROLE notifier_owner   LOGIN PASSWORD :'notifier_owner_password';
CREATE ROLE notifier_app     LOGIN PASSWORD :'notifier_app_password';
CREATE ROLE notifier_eraser  LOGIN PASSWORD :'notifier_eraser_password';
CREATE ROLE reconciler_owner LOGIN PASSWORD :'reconciler_owner_password';
CREATE ROLE reconciler_app   LOGIN PASSWORD :'reconciler_app_password';
CREATE ROLE reconciler_eraser LOGIN PASSWORD :'reconciler_eraser_password';

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
