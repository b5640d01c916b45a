/** What `parquet()` writes, in memory: for its tests, and to see how fast it is without a disk. */
import assert from 'node:assert/strict';

import { JobBatch } from '../../src/job/batch.ts';
import { parquet } from '../../src/job/parquet-sink.ts';
import type { ParquetOptions } from '../../src/job/parquet-sink.ts';
import type { AppendFile, OutputRecord, SinkPart } from '../../src/job/sink.ts';

export function batchOf(start: number, count: number): JobBatch {
  const ids = Array.from({ length: count }, (_, index) => start + index);
  return new JobBatch({
    sampleIds: Float64Array.from(ids),
    payload: new Uint8Array(count),
    offsets: Float64Array.from([...ids.keys(), count]),
    labelIds: new Int32Array(count).fill(-1),
    records: ids.map((sampleId) => ({
      sampleId,
      location: `/in/${sampleId}`,
      byteOffset: null,
      byteLength: null,
      decodeHint: '',
    })),
  });
}

/** A part whose file is in memory; what a failing write left is undone, as staging does. */
export class MemoryPart {
  readonly records: OutputRecord[] = [];
  isFull = false;
  #pieces: Uint8Array[] = [];
  #part: SinkPart<unknown> | null = null;
  #next = 0;

  static async open(options?: ParquetOptions): Promise<MemoryPart> {
    const memory = new MemoryPart();
    memory.#part = await parquet(null, options).openPart({
      start: 0,
      signal: new AbortController().signal,
      wholeFile: () => Promise.reject(new Error('no such file')),
      appendFile: (name) => {
        assert.equal(name({ start: 0, end: 9 }), 'part-000000000000-000000000009.parquet');
        return Promise.resolve(memory.#file());
      },
    });
    return memory;
  }

  get bytes(): Buffer {
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [whole];
    return whole;
  }

  async write(rows: readonly unknown[], samples: number = rows.length): Promise<void> {
    const [pieces, records] = [this.#pieces.length, this.records.length];
    try {
      await this.#part?.write(rows, batchOf(this.#next, samples));
      this.#next += samples;
    } catch (error) {
      this.#pieces.length = pieces;
      this.records.length = records;
      throw error;
    }
  }

  async finish(): Promise<void> {
    await this.#part?.finish();
  }

  #file(): AppendFile {
    const bytesOf = (): number => this.#pieces.reduce((sum, { length }) => sum + length, 0);
    return {
      get sizeBytes() {
        return bytesOf();
      },
      append: (bytes) => {
        if (this.isFull) return Promise.reject(new Error('the disk is full'));
        this.#pieces.push(bytes);
        return Promise.resolve();
      },
      record: (record) => void this.records.push(record),
    };
  }
}
