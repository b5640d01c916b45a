/** Outputs in stores of every kind: what shows, what a crash or a fault at any point leaves, who wins a race. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { Mx8Error } from '../../src/core/base/errors.ts';
import { jobId, manifestHash } from '../../src/core/base/units.ts';
import type { StagedPiece } from '../../src/core/node/holder-protocol.ts';
import {
  claimOutput,
  files,
  inspectOutput,
  jsonl,
  publishPiece,
  tar,
  type Sink,
} from '../../src/job/index.ts';
import type { OutputStore } from '../../src/ports/output-store.ts';
import { claimCacheFolder } from '../../src/storage/cache/cache-folder.ts';
import { RangeClient } from '../../src/storage/http/range-client.ts';
import { ObjectWriter, PART_BYTES } from '../../src/storage/object-writer.ts';
import { openOutput } from '../../src/storage/output-stores.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import type { CredentialSource } from '../../src/storage/s3/credentials.ts';
import { S3_DEFAULTS } from '../../src/storage/s3/s3-options.ts';
import { S3Place } from '../../src/storage/s3/s3-place.ts';
import { S3Session } from '../../src/storage/s3/s3-session.ts';
import { batchOf, LEASE, type ObjectOutputs, OTHER_LEASE } from '../support/object-outputs.ts';
import { S3_KEY, S3_SECRET } from '../support/s3-service.ts';
import { eachStore, isWrite, S3 } from '../support/store-kinds.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { onEach } = eachStore();

function row(id: number): { readonly data: string } {
  return { data: `data of ${id}` };
}

async function refusal(work: Promise<unknown>): Promise<Mx8Error> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof Mx8Error, String(error));
    return error;
  }
  return assert.fail('it was refused');
}

onEach(
  'rows of every sink become a data set in input order, and nothing shows before',
  async (world) => {
    const cases: readonly (readonly [Sink<never>, (id: number) => unknown, string[], string])[] = [
      [
        jsonl(),
        (id) => ({ id }),
        ['part-000000000000-000000000003.jsonl', 'part-000000000003-000000000005.jsonl'],
        '{"id":1}',
      ],
      [
        tar(),
        row,
        ['part-000000000000-000000000003.tar', 'part-000000000003-000000000005.tar'],
        'data of 1',
      ],
      [files(), row, [0, 1, 2, 3, 4].map((id) => `f${id}-00000000000${id}.txt`), 'data of 1'],
    ];
    for (const [sink, make, names, second] of cases) {
      const out = world.output();
      const late = await world.stage(out, sink, [3, 4], [make(3), make(4)], OTHER_LEASE);
      const early = await world.stage(out, sink, [0, 1, 2], [make(0), make(1), make(2)]);
      assert.deepEqual(await world.visible(out), []);
      const { outputManifestHash } = await world.finalize(out, [early, late]);
      const manifest = (await out.read('_mx8/manifest.tsv')) ?? new Uint8Array();
      assert.equal(outputManifestHash, createHash('sha256').update(manifest).digest('hex'));
      assert.deepEqual(await world.all(out), ['_mx8/manifest.tsv', ...names]);
      const texts = await world.records(out);
      assert.equal(texts.length, 5);
      assert.equal(texts[1], second);
    }
  },
);

/** Each leaves the output as a crash at that point would. */
const CRASHES: Readonly<
  Record<
    string,
    (world: ObjectOutputs, out: OutputStore, pieces: StagedPiece[]) => Promise<unknown>
  >
> = {
  'before anything is published': async () => undefined,
  'after some files are published': async (_, out) => {
    const staged = Buffer.from((await out.read(indexOf('staged'))) ?? []).toString();
    const [, name = '', final = '', offset, length] = staged.split('\n')[1]?.split('\t') ?? [];
    const span = { offset: Number(offset), length: Number(length) };
    const placed = await out.place(`_mx8/staging/${LEASE}`, { staged: name, span }, final);
    assert.equal(placed, 'in_place');
  },
  'after all files, before the index is marked': async (_, out, pieces) => {
    const staged = await out.read(indexOf('staged'));
    await publishPiece(out, pieces[0] ?? assert.fail());
    // What was staged is gone already: only the marks of the outputs tell that they are ours.
    await out.clear(`_mx8/staging/${LEASE}`);
    assert.ok(staged !== null && (await out.create(indexOf('staged'), staged)));
  },
  'after one piece is published': (_, out, pieces) => publishPiece(out, pieces[0] ?? assert.fail()),
  'with uploads begun and not ended': async (world, out) => {
    const staging = `${out.location}/_mx8/staging/${LEASE}/000000000000.x/1`;
    for (const location of [staging, `${out.location}/f0-000000000000.txt`]) {
      await (await world.place.upload(location)).put(0, Buffer.from('half'));
    }
  },
  'before the staging folder is cleared': async (world, out, pieces) => {
    await world.finalize(out, pieces);
    await out.create(`_mx8/staging/${OTHER_LEASE}/left`, 'behind');
  },
};

function indexOf(kind: string): string {
  return `_mx8/staging/${LEASE}/000000000000-000000000002.${kind}`;
}

onEach('after a crash at any point the next finalizer gives the same output', async (world) => {
  for (const [when, crash] of Object.entries(CRASHES)) {
    const out = world.output();
    const pieces = [
      await world.stage(out, files(), [0, 1], [row(0), row(1)]),
      await world.stage(out, files(), [2], [row(2)], OTHER_LEASE),
    ];
    await world.stage(out, files(), [2], [{ data: 'never committed' }]);
    await crash(world, out, pieces);
    const { outputManifestHash } = await world.finalize(out, pieces);
    assert.deepEqual(await world.records(out), ['data of 0', 'data of 1', 'data of 2'], when);
    const names = await world.all(out);
    assert.deepEqual(
      names.filter((name) => name.startsWith('_mx8/')),
      ['_mx8/manifest.tsv'],
      when,
    );
    assert.equal(await out.abandonUnfinished(), 0, when);
    const again = await world.finalize(out, pieces);
    assert.deepEqual(again, { outputManifestHash, wasDone: true }, when);
  }
});

onEach('finalizers and publishers at the same time give one output', async (world) => {
  const out = world.output();
  const pieces: StagedPiece[] = [];
  for (let id = 0; id < 24; id += 3) {
    pieces.push(
      await world.stage(out, files(), [id, id + 1, id + 2], [row(id), row(id + 1), row(id + 2)]),
    );
  }
  const results = await Promise.all([
    world.finalize(out, pieces),
    ...pieces.map((piece) => publishPiece(out, piece)),
    world.finalize(out, pieces),
    world.finalize(out, pieces),
  ]);
  const hashes = results.flatMap((result) =>
    result !== null && 'outputManifestHash' in result ? [result.outputManifestHash] : [],
  );
  assert.equal(hashes.length, 3);
  assert.equal(new Set(hashes).size, 1);
  assert.deepEqual(
    await world.records(out),
    Array.from({ length: 24 }, (_, id) => `data of ${id}`),
  );
});

onEach(
  'who publishes a piece after the output was finished leaves nothing behind',
  async (world) => {
    const out = world.output();
    const piece = await world.stage(out, files(), [0, 1, 2], [row(0), row(1), row(2)]);
    const late = new Proxy(out, {
      get: (store, name) => {
        const own: unknown = Reflect.get(store, name);
        if (typeof own !== 'function') return own;
        return async (...given: unknown[]): Promise<unknown> => {
          // Its files are where they belong: from here on another is quicker.
          if (name === 'markPublished') await world.finalize(out, [piece]);
          return Reflect.apply(own, store, given);
        };
      },
    });
    assert.notEqual(await publishPiece(late, piece), null);
    const left = (await world.all(out)).filter((name) => name.startsWith('_mx8/'));
    assert.deepEqual(left, ['_mx8/manifest.tsv']);
  },
);

onEach('the first staging of a token and range stands, whoever repeats it', async (world) => {
  const out = world.output();
  const first = await world.stage(out, jsonl(), [0, 1], ['first', 'first']);
  const second = await world.stage(out, jsonl(), [0, 1], ['second']);
  assert.deepEqual(second, first);
  await world.finalize(out, [second]);
  assert.deepEqual(await world.records(out), ['"first"', '"first"']);
});

onEach(
  'two samples of one name are told of once, and then the later one gets its own',
  async (world) => {
    const out = world.output();
    // Of equal bytes, too: it is the marks that tell them apart.
    const same = { data: 'equal bytes', name: 'a/same.txt' };
    const first = await world.stage(out, files(), [0], [same]);
    const second = await world.stage(out, files(), [1], [same], OTHER_LEASE);
    await publishPiece(out, first);
    const early = await refusal(world.stage(out, files(), [2], [same], OTHER_LEASE));
    assert.match(early.message, /sample 2 and sample 0 both name their output "a\/same\.txt"/);
    const told = await refusal(publishPiece(out, second));
    assert.match(told.message, /sample 1 and sample 0 both name .* --resume gives the second/);
    await Promise.all([publishPiece(out, second), publishPiece(out, second)]);
    await world.finalize(out, [first, second]);
    assert.deepEqual(await world.visible(out), ['a-same.sample-1.txt', 'a/same.txt']);
    assert.deepEqual(await world.records(out), ['equal bytes', 'equal bytes']);
  },
);

onEach(
  'a name that is no key together with the prefix is refused before anything is committed',
  async (world) => {
    const name = `${'d'.repeat(200)}/`.repeat(4) + 'x'.repeat(200);
    const part = await world.part(world.open(world.at('p'.repeat(40))), files(), 0);
    const { code, message } = await refusal(part.write([{ data: 'x', name }], batchOf(0)));
    assert.equal(code, 'row_invalid');
    assert.match(message, /of sample 0 cannot be used: with the prefix .* 1024 bytes of a key/);
    await part.abort();
  },
);

onEach(
  'large files go out in parts, are cut back over them, and are copied by the store',
  async (world) => {
    const out = world.output();
    const sink = tar();
    const part = await world.part(out, sink, 0);
    const big = (fill: string): { readonly data: Uint8Array } => ({
      data: Buffer.alloc(2 * PART_BYTES + 12_345, fill),
    });
    await part.write([big('a')], batchOf(0));
    const bad = await refusal(
      part.write([big('bad'), { data: 'x', name: 'n'.repeat(250) }], batchOf(1, 2)),
    );
    assert.equal(bad.code, 'row_invalid');
    await part.write([big('c')], batchOf(1));
    const piece = await part.finish(2);
    await world.finalize(out, [piece]);
    const [one = '', two = ''] = await world.records(out);
    assert.ok(one === big('a').data.toString() && two === big('c').data.toString());
    const given = await world.part(out, files(), 2);
    await given.write([big('given up')], batchOf(2));
    await given.abort();
    assert.equal(await out.abandonUnfinished(), 0, 'an aborted part leaves no upload');
    assert.equal((await world.all(out)).length, 2);
  },
);

onEach('resets, refusals and lost answers in mid-upload cost nothing but time', async (world) => {
  let count = 0;
  const kinds = ['reset', 'none', 'refused', 'none', 'unheard', 'none', 'none'] as const;
  for (const sink of [tar(), files()]) {
    const out = world.output();
    world.troubled.decide = ({ method, url }) => {
      if (!isWrite({ method, url })) return 'none';
      count += 1;
      return kinds[count % kinds.length] ?? 'none';
    };
    const large = 'x'.repeat(PART_BYTES + 5);
    const pieces = [
      await world.stage(out, sink, [0, 1], [row(0), row(1)]),
      await world.stage(out, sink, [2], [{ data: large }], OTHER_LEASE),
    ];
    for (const piece of pieces) await publishPiece(out, piece);
    await world.finalize(out, pieces);
    world.troubled.decide = () => 'none';
    assert.deepEqual(
      (await world.records(out)).map((text) => createHash('sha256').update(text).digest('hex')),
      ['data of 0', 'data of 1', large].map((text) =>
        createHash('sha256').update(text).digest('hex'),
      ),
    );
    const names = await world.all(out);
    assert.deepEqual(
      names.filter((name) => name.startsWith('_mx8/')),
      ['_mx8/manifest.tsv'],
    );
    assert.equal(await out.abandonUnfinished(), 0);
  }
  assert.deepEqual([...new Set(world.troubled.troubles)].sort(), ['refused', 'reset', 'unheard']);
});

onEach(
  'credentials that expire in mid-upload are renewed and the upload goes on',
  async (world) => {
    let made = 0;
    const rotating: CredentialSource = async () => {
      made += 1;
      return {
        accessKeyId: S3_KEY,
        secretAccessKey: S3_SECRET,
        ...(made > 1 ? { sessionToken: '' } : {}),
      };
    };
    const ranges = new RangeClient(world.setting);
    const options = { ...S3_DEFAULTS, endpointUrl: world.troubled.url };
    const place = new S3Place(ranges, new S3Session(options, world.setting, [rotating]));
    const writer = new ObjectWriter(place, 's3://bucket/renewed');
    await writer.append(Buffer.alloc(PART_BYTES, 'a'));
    world.troubled.decide = () => (made < 2 ? 'expired' : 'none');
    await writer.append(Buffer.alloc(PART_BYTES, 'b'));
    const stat = await writer.finish({ type: 'create' });
    assert.deepEqual([stat?.bytes, made], [2 * PART_BYTES, 2]);
    assert.ok(world.troubled.troubles.length > 0);
    await place.close();
    ranges.close();
  },
  [S3],
);

onEach(
  'who may not list uploads finishes the output without having them aborted',
  async (world) => {
    const out = world.output();
    const piece = await world.stage(out, jsonl(), [0], ['x']);
    await (await world.place.upload(`${out.location}/_mx8/staging/x`)).put(0, Buffer.from('half'));
    world.troubled.decide = ({ url }) => (url.includes('?max-uploads') ? 'denied' : 'none');
    await world.finalize(out, [piece]);
    assert.ok(world.troubled.troubles.includes('denied'));
    world.troubled.decide = () => 'none';
    assert.deepEqual(await world.records(out), ['"x"']);
    assert.equal(await out.abandonUnfinished(), 1);
  },
  [S3],
);

onEach(
  'a disk cache before the store is for readers alone: who writes goes past it',
  async (world) => {
    await using folder = await temporaryFolder();
    const cache = { folder: folder.join('cache'), capBytes: 64 * 1024 ** 2 };
    claimCacheFolder(cache.folder);
    const options = { ...STORE_DEFAULTS, ...world.options, cache };
    await using places = new OpenPlaces(options, world.setting);
    const out = openOutput(world.output().location, places);
    const piece = await world.stage(out, files(), [0, 1], [row(0), row(1)]);
    await world.finalize(out, [piece]);
    assert.deepEqual(await world.records(out), ['data of 0', 'data of 1']);
    assert.notEqual(places.of(out.location), places.writable(out.location));
  },
);

onEach(
  'what a store refuses names the object, and an upload that is refused half-way is aborted',
  async (world) => {
    const nowhere = world.open(`${world.kind.root.slice(0, 5)}no-such-bucket/out`);
    const missing = await refusal(claimOutput(nowhere, CLAIM));
    assert.match(missing.message, /no-such-bucket/);
    const out = world.output();
    let parts = 0;
    world.troubled.decide = (asked) =>
      world.kind.isPart(asked) && (parts += 1) === 2 ? 'denied' : 'none';
    const part = await world.part(out, files(), 0);
    const rows = [{ data: Buffer.alloc(4 * PART_BYTES) }];
    const denied = await refusal(part.write(rows, batchOf(0)).then(() => part.finish(1)));
    assert.equal(denied.code, 'output_write_failed');
    assert.match(
      denied.message,
      /could not write the output ..:\/\/\w+\/out-\d+\/_mx8\/staging\/.*403/,
    );
    assert.ok(denied.message.includes(world.kind.deniedWord), denied.message);
    await part.abort();
    assert.deepEqual(await world.all(out), []);
    assert.equal(await out.abandonUnfinished(), 0);
  },
);

const CLAIM = {
  jobId: jobId('one'),
  inputManifestHash: manifestHash('a'.repeat(64)),
  sink: 'jsonl',
  jobName: null,
  input: null,
  state: 'machine:/folder',
};

onEach('an output belongs to one job, and its claims may race', async (world) => {
  const out = world.output();
  assert.deepEqual(await inspectOutput(out), { type: 'free' });
  const claims = await Promise.all(Array.from({ length: 8 }, () => claimOutput(out, CLAIM)));
  assert.equal(claims.filter((wasThere) => !wasThere).length, 1);
  assert.deepEqual(await inspectOutput(out), {
    type: 'job',
    claim: CLAIM,
    outputManifestHash: null,
  });
  const other = await refusal(claimOutput(out, { ...CLAIM, jobId: jobId('two') }));
  assert.equal(other.code, 'output_occupied');
  assert.match(other.message, /\/out-\d+ holds the output of job one, not of two/);
  const foreign = world.output();
  await foreign.create('letter.txt', 'dear');
  const refused = await refusal(claimOutput(foreign, CLAIM));
  assert.match(refused.message, /files that no MX8 job wrote, such as letter\.txt/);
});
