/** `mx8 pack`: many small files into few large ones. */
import { Mx8Error } from '../../core/base/errors.ts';
import { pack, type PackLeft, type PackResult } from '../../snapshots/index.ts';
import { formatChoice } from '../format-choice.ts';
import { bytesText, countText, countedText } from '../../view/format.ts';
import type { CommandIo } from '../command-io.ts';
import { type Command, defineCommand } from '../command.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import { type OptionsOf, required } from '../flag.ts';
import * as data from '../flags/data.ts';
import { ROW_FORMAT_FLAGS } from '../flags/format.ts';
import * as job from '../flags/job.ts';
import { maxInflightBytes } from '../flags/memory.ts';
import * as screen from '../flags/screen.ts';
import { GUEST_FLAGS, openGuestTraffic } from '../store-guest.ts';
import { STORE_FLAGS, openStores } from '../stores.ts';
import { DataProgress } from './data-progress.ts';

const PACK_FLAGS = {
  out: required(job.outDir),
  labels: data.labels,
  shardBytes: data.shardBytes,
  ...ROW_FORMAT_FLAGS,
  refresh: data.refresh,
  maxInflightBytes,
  json: screen.json,
  ...GUEST_FLAGS,
  ...STORE_FLAGS,
} as const;

type PackCommandOptions = OptionsOf<typeof PACK_FLAGS>;

export const command: Command = defineCommand({
  name: 'pack',
  summary: 'pack files, or samples of a format, into tar shards with a manifest',
  about:
    'Copies every file below a folder, or every object below a prefix, into tar shards, in the byte order of their paths, with a manifest that says where each one is. With --format a sample is a line, a row or whatever else files of that format have. The output is a data set: give its folder or prefix as a link. It is finished when its manifest is there. The same command goes on with a pack that was interrupted: what was listed is not listed again, and shards that are finished are not written again.',
  argument: {
    name: 'IN',
    doc: 'The folder that holds the files, a prefix of a store, such as s3://BUCKET/PREFIX, or one file of many samples.',
    isRequired: true,
  },
  flags: PACK_FLAGS,
  examples: [
    { command: 'mx8 pack ./photos --out ./photos-packed', doc: '' },
    { command: 'mx8 pack s3://bucket/photos --out s3://bucket/photos-packed', doc: '' },
    {
      command: 'mx8 pack s3://bucket/tables --format parquet --columns id,text --out ./rows',
      doc: 'each row, as a line of JSON',
    },
    {
      command: 'mx8 pack ./imagenet/train --out ./packed --labels imagefolder',
      doc: 'the first folder below the input is the class',
    },
  ],
  run: ({ argument, options }, io) => runPack(argument, options, io),
});

async function runPack(input: string, options: PackCommandOptions, io: CommandIo): Promise<number> {
  using progress = new DataProgress(io);
  const around = { ...io, events: progress.events };
  await using guest = openGuestTraffic('pack', options, around);
  await using places = openStores(options, { ...around, traffic: guest.traffic });
  const { format, columns, unpack } = formatChoice(options);
  const left: PackLeft[] = [];
  try {
    const result = await pack(input, options.out, {
      places,
      labels: options.labels,
      shardBytes: options.shardBytes,
      ...{ format, columns, unpack },
      refresh: options.refresh,
      maxInflightBytes: options.maxInflightBytes,
      clock: io.clock,
      random: io.random,
      signal: io.signal,
      onProgress: (figures) => progress.show(figures),
      onLeft: (what) => void left.push(what),
      onLeftOut: (what) => around.events.emit('warn', 'entries_left_out', { base: input, ...what }),
    });
    progress.clear();
    io.stdout(options.json ? resultJson(result) : resultText(result));
    return EXIT_DONE;
  } catch (error) {
    throw withWayOn(error, left[0]);
  }
}

/** With what is there already, and how to go on. */
function withWayOn(error: unknown, left: PackLeft | undefined): unknown {
  if (left === undefined || !(error instanceof Mx8Error)) return error;
  const { output, finishedShards, shards } = left;
  const there = `${countText(finishedShards)} of ${countedText(shards, 'shard')}`;
  const text = `${error.message}${error.message.endsWith('.') ? '' : '.'} In ${output} ${there} are finished: the same command goes on there.`;
  const details = { ...error.details, finished_shards: finishedShards, shards };
  return new Mx8Error(error.code, text, details, error);
}

function resultText(result: PackResult): string {
  const { labels, resumedShardCount: before } = result;
  const resumed =
    before === 0 ? '' : `, ${countText(before)} of them by an interrupted pack before`;
  return [
    `packed ${countedText(result.sampleCount, 'sample')} (${bytesText(result.bytes)}) into ${countedText(result.shardCount, 'shard')}${resumed}`,
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
    resumed_shards: result.resumedShardCount,
    bytes: result.bytes,
    classes: result.labels?.length ?? 0,
    output: result.output,
  })}\n`;
}
