import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RecordTable } from '../core/manifest/record-table.ts';
import { labelIds } from './labels.ts';

function withHints(hints: readonly string[]): RecordTable {
  return RecordTable.of(
    hints.map((decodeHint, sampleId) => ({
      sampleId,
      location: `/d/${sampleId}`,
      byteOffset: null,
      byteLength: null,
      decodeHint,
    })),
  );
}

const labelled = (labelId: string): string => `mx8:vision:imagefolder;label_id=${labelId}`;

test('each sample has the class of its own hint, however hints follow each other', () => {
  const hints = [labelled('3'), labelled('3'), '', labelled('0'), 'other', labelled('3')];
  assert.deepEqual([...labelIds(withHints(hints))], [3, 3, -1, 0, -1, 3]);
  assert.deepEqual([...labelIds(withHints(hints).slice(2, 4))], [-1, 0]);
});

test('a class that is no number is refused by the name of its sample', () => {
  const table = withHints(['', labelled('x')]);
  assert.throws(() => labelIds(table), { code: 'manifest_invalid', message: /sample 1 at \/d\/1/ });
});
