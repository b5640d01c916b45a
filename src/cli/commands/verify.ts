/** `mx8 verify`: whether the bytes of a data set are still what was pinned. */
import { type Difference, verify, type VerifyResult } from '../../snapshots/index.ts';
import { bytesText, countedText } from '../../view/format.ts';
import type { CommandIo } from '../command-io.ts';
import { type Command, defineCommand } from '../command.ts';
import { EXIT_DATA, EXIT_DONE } from '../exit-codes.ts';
import type { OptionsOf } from '../flag.ts';
import { formatChoice } from '../format-choice.ts';
import * as data from '../flags/data.ts';
import { FORMAT_FLAGS } from '../flags/format.ts';
import * as screen from '../flags/screen.ts';
import { openManifestStore } from '../manifest-store.ts';
import { snapshotAgeText } from '../snapshot-age.ts';
import { GUEST_FLAGS, openGuestTraffic } from '../store-guest.ts';
import { STORE_FLAGS, openStores, storeOptions } from '../stores.ts';
import { DataProgress } from './data-progress.ts';

const VERIFY_FLAGS = {
  manifestStoreRoot: data.manifestStoreRoot,
  manifestCacheBytes: data.manifestCacheBytes,
  ...FORMAT_FLAGS,
  json: screen.json,
  ...GUEST_FLAGS,
  ...STORE_FLAGS,
} as const;

type VerifyCommandOptions = OptionsOf<typeof VERIFY_FLAGS>;

export const command: Command = defineCommand({
  name: 'verify',
  summary: 'read a pinned data set again and say what differs',
  about:
    'Reads every sample of the snapshot that a link means: files that are missing, empty, cut off, unreadable, or not of the size and time of modification (of objects in stores: ETag) that they had when they were pinned, in packed data sets and outputs of tar() headers that do not belong to their sample, in compressed files samples of other bytes, and in plain shards what is no sample of its format any more. Prints one line per difference and ends with status 3 when there is any.',
  argument: {
    name: 'LINK',
    doc: 'BASE or BASE@sha256:<64 hex digits>; BASE is a folder, a .tsv manifest, a file of samples, or s3://, gs:// or az://BUCKET/PREFIX; --format as it was pinned with.',
    isRequired: true,
  },
  flags: VERIFY_FLAGS,
  examples: [
    { command: 'mx8 verify ./photos-packed', doc: '' },
    { command: 'mx8 verify s3://bucket/vectors', doc: 'the output of a job, too' },
    { command: 'mx8 verify ./photos --json', doc: 'one JSON object per difference' },
  ],
  run: ({ argument, options }, io) => runVerify(argument, options, io),
});

async function runVerify(
  link: string,
  options: VerifyCommandOptions,
  io: CommandIo,
): Promise<number> {
  using progress = new DataProgress(io);
  const around = { ...io, events: progress.events };
  await using guest = openGuestTraffic('verify', options, around);
  const ports = { ...around, traffic: guest.traffic };
  // What lies in a cache says nothing of what is in the store.
  await using places = openStores({ ...options, diskCache: null }, ports);
  const tell = options.json ? differenceJson : differenceText;
  const result = await verify(link, {
    store: openManifestStore(options, ports, storeOptions(options)),
    places,
    clock: io.clock,
    events: progress.events,
    signal: io.signal,
    ...formatChoice(options),
    onProgress: (figures) => progress.show(figures),
    onDifference: (difference) => {
      progress.clear();
      io.stdout(tell(difference));
    },
  });
  progress.clear();
  const age = snapshotAgeText(link, result.link, io.clock.unixMs());
  io.stdout(options.json ? resultJson(result) : resultText(result, age));
  return result.differenceCount === 0 ? EXIT_DONE : EXIT_DATA;
}

function differenceText({ sampleId, kind, what }: Difference): string {
  return `sample ${sampleId}: ${kind}: ${what}\n`;
}

function differenceJson({ sampleId, location, kind, what }: Difference): string {
  return `${JSON.stringify({ event: 'difference', sample_id: sampleId, location, kind, what })}\n`;
}

function resultText(result: VerifyResult, age: string | null): string {
  const { link, bytes, differenceCount } = result;
  return [
    `manifest_hash: ${link.hash}`,
    ...(age === null ? [] : [`snapshot: ${age}`]),
    `verified ${countedText(link.sampleCount, 'sample')}, ${bytesText(bytes)}: ${differenceCount === 0 ? 'no differences' : countedText(differenceCount, 'difference')}`,
    '',
  ].join('\n');
}

function resultJson(result: VerifyResult): string {
  const { link, bytes, differenceCount } = result;
  return `${JSON.stringify({
    event: 'verified',
    manifest_hash: link.hash,
    samples: link.sampleCount,
    bytes,
    differences: differenceCount,
  })}\n`;
}
