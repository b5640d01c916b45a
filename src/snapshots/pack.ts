/** Packs the files of a folder, or objects below a prefix, into tar shards with a manifest over them. */
import { createHash } from 'node:crypto';

import { Mx8Error } from '../core/base/errors.ts';
import { manifestHash } from '../core/base/units.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { imagefolderHint } from '../core/manifest/decode-hint.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { encodeLabels } from '../core/manifest/labels.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Clock } from '../ports/clock.ts';
import type { Places } from '../ports/place.ts';
import type { Random } from '../ports/random.ts';
import { schemeOf } from '../core/manifest/location.ts';
import { outputLocation } from '../storage/output-stores.ts';
import { contains, realPathOf } from '../storage/real-path.ts';
import { PROGRESS_SAMPLES } from './limits.ts';
import { canonicalBase, locateBase } from './locate-base.ts';
import { FolderInput, PrefixInput } from './pack-input.ts';
import type { OpenedEntry, PackInput } from './pack-input.ts';
import { classOf, entryName, planPack } from './pack-plan.ts';
import type { LabelMode, PackPlan } from './pack-plan.ts';
import type { PackFile, PackTarget } from './pack-target.ts';
import { FolderPackTarget } from './folder-pack-target.ts';
import { ObjectPackTarget } from './object-pack-target.ts';
import { ShardWriter } from './shard-writer.ts';
import type { PackedPart } from './shard-writer.ts';
import { systemCode, systemReason } from './system-error.ts';

export interface PackProgress {
  /** `listing` counts the files, then `packing` copies them. */
  readonly phase: 'listing' | 'packing';
  readonly samples: number;
  /** Of `packing`; null while listing. */
  readonly samplesTotal: number | null;
  /** Bytes of samples copied. */
  readonly bytes: number;
}

export interface PackOptions {
  readonly labels: LabelMode;
  /** A shard does not grow past this, except for one sample that is larger by itself. */
  readonly shardBytes: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Where objects are; absent: only folders are packed, and into folders. */
  readonly places?: Places | undefined;
  readonly onProgress?: (progress: PackProgress) => void;
  readonly signal?: AbortSignal;
}

export interface PackResult {
  /** Canonical absolute path or location of the data set: a link to it. */
  readonly output: string;
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  readonly shardCount: number;
  /** Bytes of the samples. */
  readonly bytes: number;
  /** By label id; null without labels. */
  readonly labels: readonly string[] | null;
}

/** Packs `input` into `output`. When it fails or is aborted, what it wrote is removed again. */
export async function pack(
  input: string,
  output: string,
  options: PackOptions,
): Promise<PackResult> {
  const from = await openInput(input, output, options);
  const { onProgress, signal } = options;
  const plan = await planPack(
    from,
    options.labels,
    (samples) => onProgress?.({ phase: 'listing', samples, samplesTotal: null, bytes: 0 }),
    signal,
  );
  const target = await claimTarget(outputLocation(output), options);
  try {
    const packed = await new PackRun(from, target, plan, options).run();
    await target.publish();
    const { hash, sampleCount, shardCount, bytes } = packed;
    return { output: target.root, hash, sampleCount, shardCount, bytes, labels: plan.labels };
  } catch (error) {
    // The first failure is the one to tell. What cannot be removed does not look finished.
    await target.abandon().catch(() => undefined);
    throw writeError(target.root, error);
  }
}

async function claimTarget(output: string, options: PackOptions): Promise<PackTarget> {
  if (schemeOf(output) === null) return FolderPackTarget.claim(output, options);
  const place = options.places?.writable(output) ?? null;
  if (place !== null) return ObjectPackTarget.claim(output, place, options);
  throw new Mx8Error('scheme_unsupported', `Nothing can be packed into ${output} here.`, {
    path: output,
  });
}

async function openInput(
  input: string,
  output: string,
  { places, signal }: PackOptions,
): Promise<PackInput> {
  const path = canonicalBase(input);
  const base = await locateBase(path, places, signal);
  if (base.type === 'manifest') {
    const what = base.isPacked ? 'a packed data set already' : 'a manifest';
    throw new Mx8Error('link_invalid', `${path} is ${what}; pack takes a folder of files.`, {
      location: path,
    });
  }
  const to = outputLocation(output);
  if (base.type === 'prefix') {
    if (`${to}/`.startsWith(base.prefix)) throw packsItself(to, path);
    return new PrefixInput(base.prefix, base.places);
  }
  if (schemeOf(to) !== null) return new FolderInput(path);
  const [source, target] = await Promise.all([path, to].map(realPathOf)).catch((error: unknown) => {
    throw writeError(output, error);
  });
  if (source !== undefined && target !== undefined && contains(source, target)) {
    throw packsItself(target, path);
  }
  return new FolderInput(path);
}

function packsItself(target: string, input: string): Mx8Error {
  return new Mx8Error(
    'flag_invalid',
    `The output ${target} lies in the input ${input}, so the data set would pack itself. Choose a folder beside it.`,
    { flag: '--out' },
  );
}

/** Lines of the manifest that are written at once. */
const RECORDS_PER_WRITE = 4096;

interface Packed {
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  readonly shardCount: number;
  readonly bytes: number;
}

class PackRun {
  readonly #input: PackInput;
  readonly #target: PackTarget;
  readonly #plan: PackPlan;
  readonly #options: PackOptions;
  readonly #labelIds: ReadonlyMap<string, number>;
  readonly #shards: ShardWriter;
  readonly #hash = createHash('sha256');
  /** Not in the manifest yet. */
  readonly #records: SampleRecord[] = [];
  #samples = 0;
  #bytes = 0;

  constructor(input: PackInput, target: PackTarget, plan: PackPlan, options: PackOptions) {
    this.#input = input;
    this.#target = target;
    this.#plan = plan;
    this.#options = options;
    this.#labelIds = new Map((plan.labels ?? []).map((label, id) => [label, id]));
    this.#shards = new ShardWriter(target, options.shardBytes);
  }

  async run(): Promise<Packed> {
    const manifest = await this.#target.openMeta('manifest.tsv');
    try {
      await this.#write(manifest, encodeHeader());
      for await (const entries of this.#input.open(this.#options.signal)) {
        await this.#packEntries(manifest, entries);
      }
      await this.#writeRecords(manifest);
      await this.#shards.finish();
      this.#checkCount();
      await this.#writeLabels();
      await manifest.finish();
    } finally {
      await this.#shards.abandon();
      await manifest.abandon();
    }
    return {
      hash: manifestHash(this.#hash.digest('hex')),
      sampleCount: this.#samples,
      shardCount: this.#shards.shardCount,
      bytes: this.#bytes,
    };
  }

  async #packEntries(manifest: PackFile, entries: readonly OpenedEntry[]): Promise<void> {
    for (const entry of entries) {
      this.#records.push(await this.#packEntry(entry));
      if (this.#samples % PROGRESS_SAMPLES === 0) this.#tell();
      if (this.#records.length === RECORDS_PER_WRITE) await this.#writeRecords(manifest);
    }
  }

  async #writeRecords(manifest: PackFile): Promise<void> {
    await this.#write(manifest, encodeRecords(this.#records.splice(0)));
    this.#tell();
  }

  async #packEntry({ path, source }: OpenedEntry): Promise<SampleRecord> {
    const sampleId = this.#samples;
    let part: PackedPart;
    try {
      part = await this.#shards.add(entryName(sampleId, path), source);
    } finally {
      source.close();
    }
    this.#samples += 1;
    this.#bytes += part.byteLength;
    return {
      sampleId,
      location: this.#target.shardLocation(part.shard),
      byteOffset: part.byteOffset,
      byteLength: part.byteLength,
      decodeHint: this.#hintOf(path),
    };
  }

  #hintOf(path: string): string {
    if (this.#plan.labels === null) return '';
    const labelId = this.#labelIds.get(classOf(path) ?? '');
    if (labelId === undefined) throw inputChanged(`${this.#input.root}/${path} is new`);
    return imagefolderHint(labelId);
  }

  /** The listing and the packing must have seen the same folder. */
  #checkCount(): void {
    if (this.#samples === this.#plan.fileCount) return;
    throw inputChanged(
      `${this.#input.root} held ${this.#plan.fileCount} files first and ${this.#samples} then`,
    );
  }

  async #writeLabels(): Promise<void> {
    if (this.#plan.labels === null) return;
    const file = await this.#target.openMeta('labels.tsv');
    try {
      await file.write(Buffer.from(encodeLabels(this.#plan.labels)));
      await file.finish();
    } finally {
      await file.abandon();
    }
  }

  async #write(manifest: PackFile, bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await manifest.write(bytes);
  }

  #tell(): void {
    this.#options.onProgress?.({
      phase: 'packing',
      samples: this.#samples,
      samplesTotal: this.#plan.fileCount,
      bytes: this.#bytes,
    });
  }
}

function inputChanged(how: string): Mx8Error {
  return new Mx8Error(
    'sample_changed',
    `The input changed while it was packed: ${how}. Pack again when nobody writes to it.`,
  );
}

function writeError(root: string, error: unknown): unknown {
  if (error instanceof Mx8Error || systemCode(error) === '') return error;
  return new Mx8Error(
    'output_write_failed',
    `Cannot write the packed data set ${root}: ${systemReason(error)}.`,
    { path: root, system_code: systemCode(error) },
    error,
  );
}
