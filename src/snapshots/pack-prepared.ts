/** From the list of the input to what is known before the first shard is written. */
import { createHash } from 'node:crypto';

import { Mx8Error } from '../core/base/errors.ts';
import { ShardCutter } from '../core/manifest/shard-cutter.ts';
import type { PackInput } from './pack-input.ts';
import { PackLabels } from './pack-labels.ts';
import { damagedList, decodeItems, encodeItems } from './pack-list.ts';
import type { PackItem } from './pack-list.ts';
import { shardName } from './pack-names.ts';
import { encodePlan } from './pack-plan.ts';
import type { PackChoices, PackPlan } from './pack-plan.ts';
import type { PackTarget, ShardFacts } from './pack-target.ts';

export interface Prepared {
  readonly plan: PackPlan;
  readonly labels: PackLabels;
  /** By label id; null for a data set without. */
  readonly labelNames: readonly string[] | null;
  readonly shards: readonly PreparedShard[];
}

export interface PreparedShard extends ShardFacts {
  readonly sampleCount: number;
  readonly sampleBytes: number;
}

type OnSamples = (samples: number) => void;

/** Lists the input, and records the list and the plan beside the output. */
export async function preparedByListing(
  input: PackInput,
  target: PackTarget,
  choices: PackChoices,
  onSamples: OnSamples,
  /** Throws where these shards cannot be written: before anything is. */
  check: (shards: readonly PreparedShard[]) => void,
): Promise<Prepared> {
  const gathering = new Gathering(choices);
  const hash = createHash('sha256');
  const file = await target.openList();
  try {
    onSamples(0);
    for await (const items of input.list()) {
      gathering.add(items);
      const bytes = encodeItems(items);
      hash.update(bytes);
      await file.write(bytes);
      onSamples(gathering.sampleCount);
    }
    const prepared = gathering.settle({ listHash: hash.digest('hex') });
    check(prepared.shards);
    await file.finish();
    await target.recordPlan(encodePlan(prepared.plan));
    return prepared;
  } finally {
    await file.abandon();
  }
}

/** The same from a list that is there, of a plan that is. */
export async function preparedByPlan(
  target: PackTarget,
  plan: PackPlan,
  onSamples: OnSamples,
  signal: AbortSignal | undefined,
): Promise<Prepared> {
  const gathering = new Gathering(plan);
  onSamples(0);
  for await (const items of listedItems(target, plan.listHash, signal)) {
    gathering.add(items);
    onSamples(gathering.sampleCount);
  }
  return gathering.settle(plan);
}

/** The list beside the output. `pack_not_resumable` at its end where it is not the one of this hash. */
export async function* listedItems(
  target: PackTarget,
  listHash: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly PackItem[]> {
  const hash = createHash('sha256');
  const hashed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of target.readList(signal)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  yield* decodeItems(hashed(), target.listName);
  if (hash.digest('hex') !== listHash) throw damagedList(target.listName);
}

class Gathering {
  readonly #choices: PackChoices;
  readonly #labels: PackLabels;
  readonly #cutter: ShardCutter;

  constructor(choices: PackChoices) {
    this.#choices = choices;
    this.#labels = new PackLabels(choices.input, choices.labels);
    this.#cutter = new ShardCutter(choices.shardBytes);
  }

  get sampleCount(): number {
    return this.#cutter.sampleCount;
  }

  add(items: readonly PackItem[]): void {
    this.#labels.add(items);
    for (const { bytes } of items) this.#cutter.add(bytes);
  }

  settle({ listHash }: Pick<PackPlan, 'listHash'>): Prepared {
    const { input, labels, shardBytes, format, columns } = this.#choices;
    const { sampleCount } = this;
    if (sampleCount === 0) {
      throw new Mx8Error('input_empty', `${input} holds no file.`, { location: input });
    }
    return {
      plan: { input, labels, shardBytes, format, columns, sampleCount, listHash },
      labelNames: this.#labels.settle(),
      labels: this.#labels,
      shards: this.#cutter.shards.map(({ firstSample, endSample, bytes, sampleBytes }, index) => ({
        name: shardName(index),
        bytes,
        sampleBytes,
        sampleCount: endSample - firstSample,
      })),
    };
  }
}
