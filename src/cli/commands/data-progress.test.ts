import assert from 'node:assert/strict';
import test from 'node:test';

import { FakeClock } from '../../testing/fake-clock.ts';
import { seededRandom } from '../../testing/seeded-random.ts';
import type { CommandIo } from '../command-io.ts';
import { DataProgress } from './data-progress.ts';

const ERASED = '\r\u001b[2K';

function terminal(): {
  readonly io: CommandIo;
  readonly clock: FakeClock;
  readonly written: string[];
} {
  const clock = new FakeClock();
  const written: string[] = [];
  const io: CommandIo = {
    stdout: () => undefined,
    stderr: (text) => void written.push(text),
    isTerminal: true,
    columns: 100,
    colour: false,
    clock,
    random: seededRandom(1),
    events: { emit: (_, event) => void written.push(`${event}\n`) },
    signal: new AbortController().signal,
    environment: {},
  };
  return { io, clock, written };
}

test('the line says how far it is, how fast, and how long it takes from what this run has done', async () => {
  const { io, clock, written } = terminal();
  using progress = new DataProgress(io);
  // 40 samples were there of an interrupted run.
  const figures = { phase: 'packing', samples: 40, samplesTotal: 100, bytes: 4096 };
  progress.show(figures);
  assert.equal(written.at(-1), `${ERASED}packing  40.0%  40/100 samples  4.00 KiB`);
  await clock.advance(10_000);
  progress.show({ ...figures, samples: 50, bytes: 5120 });
  assert.equal(
    written.at(-1),
    `${ERASED}packing  50.0%  50/100 samples  5.00 KiB  1/s  102 B/s  50 s left`,
  );
  await clock.advance(10_000);
  progress.show({ ...figures, samples: 100, bytes: 10_240 });
  assert.doesNotMatch(written.at(-1) ?? '', /left/);
});

test('what is logged meanwhile goes above the line', () => {
  const { io, written } = terminal();
  using progress = new DataProgress(io);
  progress.show({ phase: 'indexing', samples: 5, samplesTotal: null, bytes: 0 });
  progress.events.emit('info', 'snapshot_index_summary');
  assert.deepEqual(written, [`${ERASED}indexing  5 samples`, ERASED, 'snapshot_index_summary\n']);
});
