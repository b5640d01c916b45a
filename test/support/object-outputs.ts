/** Outputs in a store, made piece by piece in one process. */
import type { JobBatch as Batch, Finalized, Sink } from '../../src/job/index.ts';
import { finalizeOutput, JobBatch, StagedPart } from '../../src/job/index.ts';
import { type LeaseId, leaseId } from '../../src/core/base/units.ts';
import type { StagedPiece } from '../../src/core/node/holder-protocol.ts';
import type { OutputStore } from '../../src/ports/output-store.ts';
import type { ObjectPlace } from '../../src/ports/place.ts';
import { openOutput } from '../../src/storage/output-stores.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import type { StoreOptions } from '../../src/storage/places.ts';
import { storeSetting, type StoreSetting } from './store-setting.ts';
import type { StoreKind } from './store-kinds.ts';
import { TroubledStore } from './troubled-store.ts';

export const LEASE: LeaseId = leaseId({ epoch: 1, seq: 1, index: 0 });
export const OTHER_LEASE: LeaseId = leaseId({ epoch: 1, seq: 2, index: 0 });

export class ObjectOutputs implements AsyncDisposable {
  readonly kind: StoreKind;
  /** Everything goes through it. */
  readonly troubled: TroubledStore;
  readonly setting: StoreSetting;
  readonly places: OpenPlaces;
  readonly #service: AsyncDisposable;
  #outputs = 0;
  #nonces = 0;

  private constructor(kind: StoreKind, service: AsyncDisposable, troubled: TroubledStore) {
    this.kind = kind;
    this.#service = service;
    this.troubled = troubled;
    this.setting = storeSetting({ variables: kind.environment(troubled.url) });
    this.places = new OpenPlaces({ ...STORE_DEFAULTS, ...this.options }, this.setting);
  }

  static async start(kind: StoreKind): Promise<ObjectOutputs> {
    const service = await kind.start();
    const troubled = await TroubledStore.start(service.url, kind);
    Object.assign(process.env, kind.environment(troubled.url));
    return new ObjectOutputs(kind, service, troubled);
  }

  /** How the service is reached. */
  get options(): Partial<StoreOptions> {
    return this.kind.options(this.troubled.url);
  }

  /** What `mx8` is started with. */
  get environment(): Readonly<Record<string, string>> {
    return this.kind.environment(this.troubled.url);
  }

  get place(): ObjectPlace {
    const place = this.places.writable(`${this.kind.root}/x`);
    if (place !== null) return place;
    throw new Error(`${this.kind.root} is in a place of objects`);
  }

  /** Below the bucket of the test. */
  at(path: string): string {
    return `${this.kind.root}/${path}`;
  }

  /** An empty prefix. */
  output(): OutputStore {
    this.#outputs += 1;
    return this.open(this.at(`out-${this.#outputs}`));
  }

  open(location: string): OutputStore {
    return openOutput(location, this.places);
  }

  part(
    out: OutputStore,
    sink: Sink<never>,
    start: number,
    lease: LeaseId = LEASE,
  ): Promise<StagedPart> {
    this.#nonces += 1;
    const { signal } = new AbortController();
    const options = { out, leaseId: lease, nonce: `n${this.#nonces}`, signal };
    return StagedPart.open(sink, options, start);
  }

  async stage(
    out: OutputStore,
    sink: Sink<never>,
    ids: readonly number[],
    rows: readonly unknown[],
    lease: LeaseId = LEASE,
  ): Promise<StagedPiece> {
    const [first = 0] = ids;
    const part = await this.part(out, sink, first, lease);
    await part.write(rows, batchOf(...ids));
    return part.finish(first + ids.length);
  }

  finalize(out: OutputStore, pieces: readonly StagedPiece[]): Promise<Finalized> {
    this.#nonces += 1;
    const sampleCount = pieces.at(-1)?.end ?? 0;
    const chunks = async function* (): AsyncGenerator<readonly StagedPiece[]> {
      yield pieces;
    };
    return finalizeOutput({ out, pieces: chunks(), sampleCount, nonce: `f${this.#nonces}` });
  }

  /** Names below the output, other than those that MX8 keeps for itself while it works. */
  async visible(out: OutputStore): Promise<string[]> {
    const names: string[] = [];
    for (const name of await this.all(out)) if (!name.startsWith('_mx8/')) names.push(name);
    return names;
  }

  async all(out: OutputStore): Promise<string[]> {
    const names: string[] = [];
    for await (const page of this.place.list(`${out.location}/`)) {
      for (const { location } of page) names.push(location.slice(out.location.length + 1));
    }
    return names;
  }

  /** The records of the output as its manifest lists them. */
  async records(out: OutputStore): Promise<string[]> {
    const text = Buffer.from((await out.read('_mx8/manifest.tsv')) ?? []).toString();
    const records: string[] = [];
    for (const line of text.split('\n').slice(1, -1)) {
      const [, location = '', offset = '', length = ''] = line.split('\t');
      const name = location.slice(out.location.length + 1);
      const bytes = Buffer.from((await out.read(name)) ?? []);
      const from = Number(offset);
      records.push(
        (offset === '' ? bytes : bytes.subarray(from, from + Number(length))).toString(),
      );
    }
    return records;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.places.close();
    await this.troubled[Symbol.asyncDispose]();
    await this.#service[Symbol.asyncDispose]();
  }
}

export function batchOf(...ids: readonly number[]): Batch {
  return new JobBatch({
    sampleIds: Float64Array.from(ids),
    payload: new Uint8Array(ids.length),
    offsets: Float64Array.from({ length: ids.length + 1 }, (_, index) => index),
    labelIds: Int32Array.from(ids, () => -1),
    records: ids.map((sampleId) => ({
      sampleId,
      location: `/in/f${sampleId}.txt`,
      byteOffset: null,
      byteLength: null,
      decodeHint: '',
    })),
  });
}
