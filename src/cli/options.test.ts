import assert from 'node:assert/strict';
import { test } from 'node:test';

import { longName } from './flag.ts';
import { FLAG_GROUPS } from './options.ts';
import { COMMANDS } from './registry.ts';

const flags = FLAG_GROUPS.flatMap((group) => group.flags);

test('no two flags share a name or a variable', () => {
  const names = flags.flatMap((flag) => [...new Set([flag.name, longName(flag)])]);
  const variables = flags.map((flag) => flag.variable);
  assert.deepEqual(duplicates(names), []);
  assert.deepEqual(duplicates(variables), []);
});

test('variables that other programs set keep their names and defaults', () => {
  const promised: Readonly<Record<string, unknown>> = {
    MX8_LEASE_TTL_MS: 10_000,
    MX8_HEARTBEAT_INTERVAL_MS: 1000,
    MX8_PROGRESS_INTERVAL_MS: 500,
    MX8_BATCH_SIZE_SAMPLES: 512,
    MX8_TUI_STALE_HEARTBEAT_MS: 5000,
    MX8_TUI_LEASE_STALL_MS: 10_000,
  };
  const named = `MX8_COORD_URL MX8_JOB_ID MX8_NODE_ID MX8_WORLD_SIZE MX8_MIN_WORLD_SIZE
    MX8_DATASET_LINK MX8_MANIFEST_STORE_ROOT MX8_COORD_BIND_ADDR MX8_PREFETCH_BATCHES
    MX8_MAX_QUEUE_BATCHES MX8_MAX_INFLIGHT_BYTES MX8_MAX_PROCESS_RSS_BYTES MX8_SHUFFLE MX8_SEED
    MX8_EPOCH MX8_DEV_BLOCK_SIZE MX8_DEV_LEASE_WANT MX8_TOTAL_SAMPLES MX8_BYTES_PER_SAMPLE
    MX8_SINK_SLEEP_MS MX8_KILL_AFTER_MS MX8_TUI_POLL_MS MX8_TUI_HEADLESS_POLLS
    MX8_TUI_MANIFEST_PATH MX8_S3_ENDPOINT_URL MX8_S3_FORCE_PATH_STYLE MX8_LOG
    MX8_GRPC_MAX_MESSAGE_BYTES`.split(/\s+/);
  const table = new Map(flags.map((flag) => [flag.variable, flag]));
  for (const variable of [...named, ...Object.keys(promised)]) {
    assert.ok(table.has(variable), `${variable} is not in the table`);
  }
  for (const [variable, value] of Object.entries(promised)) {
    assert.equal(table.get(variable)?.defaultValue, value, variable);
  }
});

test('every flag has a full sentence and says what it takes', () => {
  for (const flag of flags) {
    assert.match(flag.doc, /^[A-Z].*\.$/, flag.name);
    assert.match(flag.kind.takes, /^(an? |one of |true |debug)/, flag.name);
    assert.match(flag.variable, /^MX8_[A-Z0-9_]+$/, flag.name);
  }
});

test('commands take only flags of the table and show how they are used', async () => {
  const variables = new Set(flags.map((flag) => flag.variable));
  for (const entry of COMMANDS) {
    const command = await entry.load();
    assert.equal(command.name, entry.name);
    assert.equal(command.summary, entry.summary);
    assert.notEqual(command.examples.length, 0, command.name);
    for (const flag of Object.values(command.flags)) {
      assert.ok(variables.has(flag.variable), `${command.name} takes --${flag.name}`);
    }
    for (const example of command.examples) {
      assert.match(example.command, new RegExp(`\\bmx8 ${command.name}\\b`));
    }
  }
});

function duplicates(words: readonly string[]): readonly string[] {
  return words.filter((word, index) => words.indexOf(word) !== index);
}
