/** The data of the data path's benchmark: loose files of 20 KiB, the same packed, and lists of them. */
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import { pack } from '../src/snapshots/index.ts';

export const SAMPLE_BYTES: number = 20 * 1024;
const FILES = 10_000;
/**
 * Each file and record is listed so often: a pass takes half a second or more, and needs little room on the disk. Of packed
 * ones it takes a second, as it begins with some hundred batches while the better way of reading is found; readings last for hours.
 */
const PACKED_PASSES = 80;
const LOOSE_PASSES = 8;

export interface BenchData extends Disposable {
  /** Manifests to load. */
  readonly packedLink: string;
  readonly looseLink: string;
  readonly packedSamples: number;
  readonly looseSamples: number;
  /** Files for the bare loops. */
  readonly shards: readonly string[];
  readonly files: readonly string[];
  readonly storeRoot: string;
}

export async function makeBenchData(): Promise<BenchData> {
  const root = mkdtempSync(join(tmpdir(), 'mx8-bench-data-'));
  const loose = join(root, 'loose');
  const files = writeFiles(loose);
  const packed = join(root, 'packed');
  await pack(loose, packed, {
    labels: 'none',
    shardBytes: 64 * 1024 ** 2,
    clock: nodeClock(),
    random: nodeRandom(),
  });
  const packedColumns = columnsOf(readFileSync(join(packed, '_mx8', 'manifest.tsv'), 'utf8'));
  const looseColumns = files.map((file) => `${file}\t\t\t`);
  const packedLink = writeManifest(join(root, 'packed.tsv'), packedColumns, PACKED_PASSES);
  const looseLink = writeManifest(join(root, 'loose.tsv'), looseColumns, LOOSE_PASSES);
  const locations = packedColumns.map((columns) => columns.split('\t')[0] ?? '');
  return {
    packedLink,
    looseLink,
    packedSamples: FILES * PACKED_PASSES,
    looseSamples: FILES * LOOSE_PASSES,
    shards: [...new Set(locations)],
    files,
    storeRoot: join(root, 'store'),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

function writeFiles(folder: string): string[] {
  const bytes = new Uint8Array(SAMPLE_BYTES);
  const files: string[] = [];
  for (let index = 0; index < FILES; index += 1) {
    const part = join(folder, `part-${String(index % 50).padStart(2, '0')}`);
    if (index < 50) mkdirSync(part, { recursive: true });
    randomFillSync(bytes);
    const file = join(part, `sample-${String(index).padStart(6, '0')}.bin`);
    writeFileSync(file, bytes);
    files.push(file);
  }
  return files;
}

/** The lines of a manifest without their ids. */
function columnsOf(manifest: string): string[] {
  const lines = manifest.split('\n').slice(1, -1);
  return lines.map((line) => line.slice(line.indexOf('\t') + 1));
}

function writeManifest(path: string, columns: readonly string[], passes: number): string {
  const lines: string[] = [];
  for (let pass = 0; pass < passes; pass += 1) {
    for (const line of columns) lines.push(`${lines.length}\t${line}\n`);
  }
  writeFileSync(path, `schema_version=0\n${lines.join('')}`);
  return path;
}
