/**
 * Packs the files of a folder, the objects below a prefix, or samples of a format, into tar shards with a manifest
 * over them. What is packed is listed first, and list and plan are recorded beside the output: so who is
 * interrupted goes on where it was.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { ManifestHash } from '../core/base/units.ts';
import type { FormatChoice } from '../core/format/format-name.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { Clock } from '../ports/clock.ts';
import type { Places } from '../ports/place.ts';
import type { Random } from '../ports/random.ts';
import { outputLocation } from '../storage/output-stores.ts';
import { FolderPackTarget } from './folder-pack-target.ts';
import { PACK_READ_BYTES_MAX } from './limits.ts';
import { ObjectPackTarget } from './object-pack-target.ts';
import { packError } from './pack-error.ts';
import { openInput } from './pack-input.ts';
import type { PackInput } from './pack-input.ts';
import type { LeftOut } from './walk-folder.ts';
import { checkChoices, decodePlan, encodePlan, planIdOf } from './pack-plan.ts';
import type { LabelMode, PackChoices } from './pack-plan.ts';
import { preparedByListing, preparedByPlan } from './pack-prepared.ts';
import type { Prepared, PreparedShard } from './pack-prepared.ts';
import { partSizes } from './pack-parts.ts';
import type { PartSizes } from './pack-parts.ts';
import { PackRun } from './pack-run.ts';
import type { PackTarget } from './pack-target.ts';
import { UNPACK_DEFAULTS } from './put-samples.ts';
import type { UnpackBudget } from './scan-shard.ts';

export interface PackProgress {
  /** `listing` counts the samples, `checking` looks at what is there of an interrupted pack, `packing` copies. */
  readonly phase: 'listing' | 'checking' | 'packing';
  /** In their shards, those of an interrupted pack included. */
  readonly samples: number;
  /** Null while nobody knows. */
  readonly samplesTotal: number | null;
  /** Bytes of samples in shards. */
  readonly bytes: number;
}

/** What is there of a pack that ended early. */
export interface PackLeft {
  readonly output: string;
  readonly finishedShards: number;
  readonly shards: number;
}

export interface PackOptions {
  readonly labels: LabelMode;
  /** A shard does not grow past this, except for one sample that is larger by itself. */
  readonly shardBytes: number;
  /** What samples are made of; by default each file of a folder is one, and a file goes by its name. */
  readonly format?: FormatChoice | null;
  /** What a row of a Parquet or Arrow file is made of; all columns by default. */
  readonly columns?: readonly string[] | null;
  readonly unpack?: UnpackBudget;
  /** Bytes of samples that are read and not yet in a part of a shard. */
  readonly maxInflightBytes?: number | null;
  /** True: what an interrupted pack left is removed, and the input listed again. */
  readonly refresh?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Where objects are; absent: only folders are packed, and into folders. */
  readonly places?: Places | undefined;
  readonly onProgress?: (progress: PackProgress) => void;
  /** Called where the input has pipes, sockets or devices, which are no samples. */
  readonly onLeftOut?: (what: LeftOut) => void;
  /** Called where it ends early and can be gone on with. */
  readonly onLeft?: (left: PackLeft) => void;
  readonly signal?: AbortSignal;
}

export interface PackResult {
  /** Canonical absolute path or location of the data set: a link to it. */
  readonly output: string;
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  readonly shardCount: number;
  /** Of them, those that an interrupted pack had finished. */
  readonly resumedShardCount: number;
  /** Bytes of the samples. */
  readonly bytes: number;
  /** By label id; null without labels. */
  readonly labels: readonly string[] | null;
}

/**
 * Packs `input` into `output`. When it fails or is aborted with shards finished, those stay, and the same call goes on;
 * with none, nothing stays.
 */
export async function pack(
  input: string,
  output: string,
  options: PackOptions,
): Promise<PackResult> {
  const { format = null, columns = null, unpack = UNPACK_DEFAULTS, places, signal } = options;
  const where = { input, output, places, signal, onLeftOut: options.onLeftOut };
  const from = await openInput({ ...where, format, columns, unpack });
  const { labels, shardBytes } = options;
  const choices = { input: from.root, labels, shardBytes, format, columns };
  const target = await claimTarget(outputLocation(output), options);
  const packing = new Packing(from, target, choices, options);
  try {
    return await packing.run();
  } catch (error) {
    // The first failure is the one to tell. What cannot be removed does not look finished.
    await packing.end().catch(() => undefined);
    throw packError(error);
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

class Packing {
  readonly #input: PackInput;
  readonly #target: PackTarget;
  readonly #choices: PackChoices;
  readonly #options: PackOptions;
  #prepared: Prepared | null = null;
  #hadPlan = false;
  #finishedShards = 0;
  #samples = 0;
  #bytes = 0;

  constructor(input: PackInput, target: PackTarget, choices: PackChoices, options: PackOptions) {
    this.#input = input;
    this.#target = target;
    this.#choices = choices;
    this.#options = options;
  }

  async run(): Promise<PackResult> {
    const { target, prepared } = { target: this.#target, prepared: await this.#prepare() };
    this.#prepared = prepared;
    const { shards, plan, labelNames: labels } = prepared;
    const parts = this.#partsOf(shards);
    const finished = await this.#finished(prepared);
    const { clock, places, signal } = this.#options;
    this.#tell('packing');
    const run = new PackRun({
      ...{ target, prepared, finished, parts, clock, places, signal },
      maxInflightBytes: this.#maxInflightBytes,
      onFinished: () => {
        this.#finishedShards += 1;
      },
      onSamples: (samples, bytes) => {
        this.#samples += samples;
        this.#bytes += bytes;
        this.#tell('packing');
      },
    });
    const hash = await run.run();
    await target.publish();
    const { sampleCount } = plan;
    const counts = { sampleCount, shardCount: shards.length, resumedShardCount: finished.size };
    return { output: target.root, hash, ...counts, bytes: this.#bytes, labels };
  }

  /** After a failure: keeps what can be gone on with. */
  async end(): Promise<void> {
    // An interrupted pack that this one only looked at stays as it was.
    if (!this.#hadPlan && this.#finishedShards === 0) return this.#target.abandon();
    await this.#target.leave();
    const { root: output } = this.#target;
    const finishedShards = this.#finishedShards;
    const shards = this.#prepared?.shards.length ?? 0;
    if (finishedShards > 0) this.#options.onLeft?.({ output, finishedShards, shards });
  }

  get #maxInflightBytes(): number {
    return this.#options.maxInflightBytes ?? PACK_READ_BYTES_MAX;
  }

  #partsOf(shards: readonly PreparedShard[]): PartSizes {
    const { partsMax } = this.#target;
    return partSizes(shards, { partsMax, maxInflightBytes: this.#maxInflightBytes });
  }

  async #prepare(): Promise<Prepared> {
    const target = this.#target;
    const { refresh = false, signal } = this.#options;
    if (refresh && target.plan !== null) await target.clear();
    this.#hadPlan = target.plan !== null;
    const onSamples = (samples: number): void => {
      this.#options.onProgress?.({ phase: 'listing', samples, samplesTotal: null, bytes: 0 });
    };
    if (target.plan === null) {
      return preparedByListing(this.#input, target, this.#choices, onSamples, (shards) => {
        this.#partsOf(shards);
      });
    }
    const plan = decodePlan(target.plan, target.planName);
    checkChoices(target, plan, this.#choices);
    return preparedByPlan(target, plan, onSamples, signal);
  }

  /** Of an interrupted pack: which shards are there, and their samples counted. */
  async #finished({ plan, shards }: Prepared): Promise<ReadonlySet<string>> {
    const signal = this.#options.signal;
    const onShards = (count: number): void => {
      if (this.#hadPlan && count > 0) this.#tell('checking');
    };
    const planId = planIdOf(encodePlan(plan));
    const finished = await this.#target.begin(planId, shards, { signal, onShards });
    for (const { name, sampleCount, sampleBytes } of shards) {
      if (!finished.has(name)) continue;
      this.#finishedShards += 1;
      this.#samples += sampleCount;
      this.#bytes += sampleBytes;
    }
    return finished;
  }

  #tell(phase: 'checking' | 'packing'): void {
    const samplesTotal = this.#prepared?.plan.sampleCount ?? null;
    const [samples, bytes] = [this.#samples, this.#bytes];
    this.#options.onProgress?.({ phase, samples, samplesTotal, bytes });
  }
}
