-- Schemas of one Paystream database, run inside it by its administrator after roles.sql:
-- every service owns exactly one, and sees no other's.
\set ON_ERROR_STOP on

REVOKE ALL ON SCHEMA public FROM PUBLIC;

DO $$
DECLARE service text;
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  FOREACH service IN ARRAY ARRAY['gateway', 'payments', 'notifier', 'reconciler'] LOOP
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, %I, %I',
                   current_database(), service || '_owner', service || '_app', service || '_eraser');
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, service || '_owner');
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', service, service || '_app');
  END LOOP;
END $$;
