/** `mx8 resolve`: which snapshot a link means. */
import { countText } from '../../view/format.ts';
import { resolveLink } from '../../snapshots/index.ts';
import type { CommandIo } from '../command-io.ts';
import { type Command, defineCommand } from '../command.ts';
import { EXIT_DONE } from '../exit-codes.ts';
import type { OptionsOf } from '../flag.ts';
import { formatChoice, formatText } from '../format-choice.ts';
import * as data from '../flags/data.ts';
import { FORMAT_FLAGS } from '../flags/format.ts';
import * as screen from '../flags/screen.ts';
import { snapshotAgeText } from '../snapshot-age.ts';
import { openManifestStore } from '../manifest-store.ts';
import { GUEST_FLAGS, openGuestTraffic } from '../store-guest.ts';
import { STORE_FLAGS, openStores, storeOptions } from '../stores.ts';
import { DataProgress } from './data-progress.ts';

const RESOLVE_FLAGS = {
  manifestStoreRoot: data.manifestStoreRoot,
  manifestCacheBytes: data.manifestCacheBytes,
  ...FORMAT_FLAGS,
  json: screen.json,
  ...GUEST_FLAGS,
  ...STORE_FLAGS,
} as const;

type ResolveCommandOptions = OptionsOf<typeof RESOLVE_FLAGS>;

export const command: Command = defineCommand({
  name: 'resolve',
  summary: 'pin a data set and print the hash of its manifest',
  about:
    'Finds the snapshot that a link means, or takes one: lists the folder or the objects, or reads the manifest, and keeps the result in the manifest store. Prints manifest_hash, the number of samples and the link that names this snapshot for ever.',
  argument: {
    name: 'LINK',
    doc: 'BASE, BASE@refresh or BASE@sha256:<64 hex digits>; BASE is a folder, a .tsv manifest, a file of samples such as x.jsonl.gz, s3://, gs:// or az://BUCKET/PREFIX, hf://datasets/OWNER/NAME or https://…/packed.',
    isRequired: true,
  },
  flags: RESOLVE_FLAGS,
  examples: [
    { command: 'mx8 resolve ./photos', doc: '' },
    { command: 'mx8 resolve ./photos@refresh', doc: 'list the folder again' },
    { command: 'mx8 resolve s3://bucket/photos', doc: 'sizes and ETags are pinned with the list' },
    { command: 'mx8 resolve ./corpus --format jsonl', doc: 'each line is one sample' },
  ],
  run: ({ argument, options }, io) => runResolve(argument, options, io),
});

async function runResolve(
  link: string,
  options: ResolveCommandOptions,
  io: CommandIo,
): Promise<number> {
  using progress = new DataProgress(io);
  const around = { ...io, events: progress.events };
  await using guest = openGuestTraffic('resolve', options, around);
  const ports = { ...around, traffic: guest.traffic };
  await using places = openStores(options, ports);
  const choice = formatChoice(options);
  const resolved = await resolveLink(link, {
    store: openManifestStore(options, ports, storeOptions(options)),
    clock: io.clock,
    events: progress.events,
    places,
    signal: io.signal,
    ...choice,
    onProgress: ({ phase, samples }) =>
      progress.show({ phase, samples, samplesTotal: null, bytes: 0 }),
  });
  progress.clear();
  if (options.json) {
    io.stdout(
      `${JSON.stringify({
        event: 'resolved',
        manifest_hash: resolved.hash,
        samples: resolved.sampleCount,
        format: resolved.format,
        format_reason: resolved.formatReason,
        manifest_bytes: resolved.manifestBytes,
        is_new: resolved.isNew,
        taken_unix_ms: resolved.takenUnixMs,
        link: resolved.pinnedLink,
      })}\n`,
    );
    return EXIT_DONE;
  }
  io.stdout(`manifest_hash: ${resolved.hash}\n`);
  io.stdout(`samples: ${countText(resolved.sampleCount)}\n`);
  const format = formatText(resolved, choice.rowsPerSample);
  if (format !== null) io.stdout(`format: ${format}\n`);
  io.stdout(`link: ${resolved.pinnedLink}\n`);
  const age = snapshotAgeText(link, resolved, io.clock.unixMs());
  if (age !== null) io.stdout(`snapshot: ${age}\n`);
  return EXIT_DONE;
}
