import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import test from 'node:test';

import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { jobId, manifestHash } from '../../core/base/units.ts';
import type { ManifestHash } from '../../core/base/units.ts';
import { beginRunState, checkRunState, runStateFolder } from './run-state.ts';

const ID = jobId('embed-1234');
const CLAIM = {
  jobId: ID,
  inputManifestHash: manifestHash('a'.repeat(64)),
  sink: 'jsonl',
  jobName: 'embed',
  input: null,
};
type Claimed = Parameters<typeof checkRunState>[1];

function claimed(state: string | null, outputManifestHash: ManifestHash | null = null): Claimed {
  return { type: 'job', claim: { ...CLAIM, state }, outputManifestHash };
}

test('the state of a run lies in its output folder, and of one into a store on the machine that began it', async () => {
  await using folder = await temporaryFolder();
  const local = { out: '/data/out', runState: folder.path };
  assert.equal(runStateFolder(local, ID), '/data/out/_mx8/state');
  assert.equal(await beginRunState(local, ID), null);
  checkRunState(local, claimed(null));
  const here = { out: 's3://bucket/out', runState: folder.join('here') };
  const state = await beginRunState(here, ID);
  assert.equal(state, `${hostname()}:${folder.join('here', ID)}`);
  checkRunState(here, claimed(state));
  const there = { ...here, runState: folder.join('there') };
  assert.throws(() => checkRunState(there, claimed(state)), {
    code: 'output_nothing_to_resume',
    message: /s3:\/\/bucket\/out is of job embed-1234, whose state was begun in \S+here\S+; it is/,
  });
  const finished = manifestHash('b'.repeat(64));
  assert.throws(() => checkRunState(there, claimed(state, finished)), {
    code: 'output_nothing_to_resume',
    message:
      /s3:\/\/bucket\/out is the finished one of job embed-1234, manifest b{64}: there is nothing/,
  });
});

test('a state folder that cannot be made is what was typed for it', async () => {
  const nowhere = { out: 's3://bucket/out', runState: '/proc/mx8' };
  await assert.rejects(() => beginRunState(nowhere, ID), {
    code: 'flag_invalid',
    message: /in \/proc\/mx8\/embed-1234: the system makes no folders in \/proc; .*--run-state DIR/,
  });
});
