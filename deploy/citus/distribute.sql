-- SPDX-License-Identifier: Apache-2.0
-- Spreads the Ledger's tables over the workers of a Citus cluster. Run it as the owner of the schema `ledger` on the
-- coordinator, once after the first migration and again after each later one: what is distributed already is skipped,
-- and so is what a later migration creates.
--
-- Rows of one customer are together on one worker: every table with customer_id in its key is distributed by it, and
-- co-located with ledger.customers. What every customer's decision reads is copied to all workers. What neither is read
-- beside a customer's rows nor belongs to one customer stays on the coordinator.
-- Parents come before the tables that refer to them.

DO $$
DECLARE
    name text;
    distributed CONSTANT text[] := ARRAY[
        'customers', 'contracts', 'subscriptions', 'pools', 'grant_schedules', 'seat_changes', 'seat_assignments',
        'slot_turns', 'slots', 'watch_states', 'caps', 'spend_caps', 'lifted_spend_caps', 'concurrency_caps', 'cap_groups',
        'cap_group_values', 'shadow_modes', 'shadow_denials', 'grants', 'holds', 'entries', 'spends', 'meters',
        'meter_values', 'requests', 'usage_events', 'usage_corrections', 'usage_by_hour', 'usage_by_period',
        'usage_hours', 'usage_periods', 'usage_positions', 'rollup_gaps', 'rerate_meters', 'balance_adjustments',
        'debt_entries'];
    copied CONSTANT text[] := ARRAY[
        'products', 'rate_cards', 'rates', 'epochs', 'customer_aliases', 'watches', 'more_watches'];
BEGIN
    FOREACH name IN ARRAY copied LOOP
        CONTINUE WHEN to_regclass('ledger.' || name) IS NULL;
        -- Citus takes a table into its metadata with the one that it refers to, but does not copy it.
        IF NOT EXISTS (
            SELECT FROM pg_dist_partition WHERE logicalrelid = ('ledger.' || name)::regclass AND repmodel = 't'
        ) THEN
            PERFORM create_reference_table('ledger.' || name);
        END IF;
    END LOOP;
    FOREACH name IN ARRAY distributed LOOP
        CONTINUE WHEN to_regclass('ledger.' || name) IS NULL;
        IF NOT EXISTS (
            SELECT FROM pg_dist_partition WHERE logicalrelid = ('ledger.' || name)::regclass AND partmethod = 'h'
        ) THEN
            PERFORM create_distributed_table('ledger.' || name, 'customer_id',
                colocate_with => CASE name WHEN 'customers' THEN 'none' ELSE 'ledger.customers' END);
        END IF;
    END LOOP;
END $$;
