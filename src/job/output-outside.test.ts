import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';

import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { checkOutputOutside } from './output-outside.ts';

test('an output folder in the input is refused, by whatever way it is named', async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.join('in/deep'), { recursive: true });
  await mkdir(folder.join('input'));
  await writeFile(folder.join('in/list.tsv'), '0\ta\n');
  await symlink(folder.join('in'), folder.join('alias'));
  await symlink(folder.join('in/deep'), folder.join('results'));
  const here = relative(process.cwd(), folder.join('in'));
  const hash = 'ab'.repeat(32);
  const refused: readonly (readonly [string, string])[] = [
    [folder.join('in'), folder.join('in/out')],
    [folder.join('in'), folder.join('in')],
    [folder.join('in/'), folder.join('in/not/there/yet')],
    [`${folder.join('in')}@refresh`, folder.join('in/out')],
    [`${folder.join('in')}@sha256:${hash}`, folder.join('in/out')],
    [here, folder.join('in/out')],
    [folder.join('in'), `${here}/out`],
    [folder.join('alias'), folder.join('in/out')],
    [folder.join('in'), folder.join('alias/out')],
    [folder.join('in'), folder.join('results/out')],
    [pathToFileURL(folder.join('in')).href, folder.join('in/out')],
  ];
  for (const [link, out] of refused) {
    await assert.rejects(checkOutputOutside(link, out), (error: Error) => {
      assert.match(error.message, /output folder .*\/in\b.* (lies in|is) the input folder/, link);
      return true;
    });
  }
  const passed: readonly (readonly [string, string])[] = [
    [folder.join('in'), folder.join('out')],
    [folder.join('in'), folder.join('input/out')],
    [folder.join('in/deep'), folder.join('in/out')],
    [folder.join('in/list.tsv'), folder.join('in/out')],
    [folder.join('nowhere'), folder.join('nowhere/out')],
    ['s3://bucket/in', folder.join('in/out')],
  ];
  for (const [link, out] of passed) await checkOutputOutside(link, out);
});

test('an output in a store is refused below the prefix of the input, and beside it not', async () => {
  const input = 's3://bucket/photos';
  const refused: readonly (readonly [string, string])[] = [
    [input, 's3://bucket/photos'],
    [`${input}/@refresh`, 's3://bucket/photos/out'],
    ['s3://bucket', 's3://bucket/out'],
  ];
  for (const [link, out] of refused) {
    await assert.rejects(checkOutputOutside(link, out), {
      code: 'flag_invalid',
      message: new RegExp(`output folder ${out} (lies in|is) the input folder`),
    });
  }
  await checkOutputOutside(input, 's3://bucket/photos-out');
  await checkOutputOutside(input, 's3://bucket/out');
  await checkOutputOutside(input, '/photos/out');
  await checkOutputOutside('/photos', 's3://bucket/photos');
});
