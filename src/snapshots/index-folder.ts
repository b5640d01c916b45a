/** The canonical manifest of a bare folder: every file whole, without hints. */
import { Mx8Error } from '../core/base/errors.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { isLocation } from '../core/manifest/location.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { StampWriter } from '../ports/manifest-store.ts';
import { stampOf } from './stamp-files.ts';
import { walkFolder } from './walk-folder.ts';
import type { FoundFile, WalkTally } from './walk-folder.ts';

/** What a packed data set keeps beside its samples, so what no bare folder has as samples. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set(['_mx8', 'shards']);

export interface IndexOptions {
  readonly root: string;
  readonly tally: WalkTally;
  readonly stamps: StampWriter;
  /** Called now and then with the number of samples so far. */
  readonly onSamples: (samples: number) => void;
  /** Hears of every file. */
  readonly onFiles?: (files: readonly FoundFile[]) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Manifest bytes as they come up, a few thousand files at a time, and what the files are like. `input_empty` without any file. */
export async function* indexFolder(options: IndexOptions): AsyncGenerator<Uint8Array> {
  const { root, tally, stamps, signal } = options;
  const walk = { root, order: 'components', skippedNames: RESERVED_NAMES, signal } as const;
  yield encodeHeader();
  let next = 0;
  for await (const files of walkFolder(walk, tally)) {
    const start = next;
    next += files.length;
    yield encodeRecords(files.map((file, index) => recordOf(file, start + index)));
    for (const { realPath } of files) stamps.add(stampOf(realPath));
    options.onSamples(next);
    options.onFiles?.(files);
  }
  if (next > 0) return;
  throw new Mx8Error(
    'input_empty',
    `The folder ${root} holds no file${tally.skippedEntries > 0 ? ' besides what is named _mx8 or shards' : ''}.`,
    { location: root },
  );
}

/** A whole file as a sample. */
export function recordOf(file: FoundFile, sampleId: number): SampleRecord {
  if (!isLocation(file.realPath)) {
    throw new Mx8Error(
      'sample_unreadable',
      `The path ${JSON.stringify(file.realPath)} has a tab or a line break in it, which a manifest cannot hold. Rename it.`,
      { location: file.realPath },
    );
  }
  return {
    sampleId,
    location: file.realPath,
    byteOffset: null,
    byteLength: null,
    decodeHint: '',
  };
}
