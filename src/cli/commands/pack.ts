/** `mx8 pack`: many small files into few large ones. */
import { pack, type PackResult } from '../../snapshots/index.ts';
import { bytesText, countText, countedText } from '../../view/format.ts';
import type { CommandIo } from '../command-io.ts';
import { type Command, defineCommand } from '../command.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { type OptionsOf, required } from '../flag.ts';
import * as data from '../flags/data.ts';
import * as job from '../flags/job.ts';
import * as screen from '../flags/screen.ts';
import { STORE_FLAGS, openStores } from '../stores.ts';
import { DataProgress } from './data-progress.ts';

const PACK_FLAGS = {
  out: required(job.outDir),
  labels: data.labels,
  shardBytes: data.shardBytes,
  json: screen.json,
  ...STORE_FLAGS,
} as const;

type PackCommandOptions = OptionsOf<typeof PACK_FLAGS>;

export const command: Command = defineCommand({
  name: 'pack',
  summary: 'pack a folder of files into tar shards with a manifest',
  about:
    'Copies every file below a folder, or every object below a prefix, into tar shards, in the byte order of their paths, with a manifest that says where each one is. The output is a data set: give its folder or prefix as a link. It is finished when its manifest is there; an interrupted pack is replaced by running it again.',
  argument: {
    name: 'IN',
    doc: 'The folder that holds the files, or a prefix of a store, such as s3://BUCKET/PREFIX.',
    isRequired: true,
  },
  flags: PACK_FLAGS,
  examples: [
    { command: 'mx8 pack ./photos --out ./photos-packed', doc: '' },
    { command: 'mx8 pack s3://bucket/photos --out s3://bucket/photos-packed', doc: '' },
    {
      command: 'mx8 pack ./imagenet/train --out ./packed --labels imagefolder',
      doc: 'the first folder below the input is the class',
    },
  ],
  run: ({ argument, options }, io) => runPack(argument, options, io),
});

async function runPack(input: string, options: PackCommandOptions, io: CommandIo): Promise<number> {
  using progress = new DataProgress(io);
  await using places = openStores(options, io);
  const result = await pack(input, options.out, {
    places,
    labels: options.labels,
    shardBytes: options.shardBytes,
    clock: io.clock,
    random: io.random,
    signal: io.signal,
    onProgress: (figures) => progress.show(figures),
  });
  progress.clear();
  io.stdout(options.json ? resultJson(result) : resultText(result));
  return EXIT_DONE;
}

function resultText(result: PackResult): string {
  const { labels } = result;
  return [
    `packed ${countedText(result.sampleCount, 'sample')} (${bytesText(result.bytes)}) into ${countedText(result.shardCount, 'shard')}`,
    `classes: ${labels === null ? 'none' : countText(labels.length)}`,
    `manifest_hash: ${result.hash}`,
    `output: ${result.output}`,
    '',
  ].join('\n');
}

function resultJson(result: PackResult): string {
  return `${JSON.stringify({
    event: 'packed',
    manifest_hash: result.hash,
    samples: result.sampleCount,
    shards: result.shardCount,
    bytes: result.bytes,
    classes: result.labels?.length ?? 0,
    output: result.output,
  })}\n`;
}
