/**
 * Reads tables of FlatBuffers, which Arrow describes its data with. Every read is checked against the end of the
 * bytes, and a vector against the room that its elements need: what is damaged throws a `RangeError`, and
 * nothing loops over a number that a file made up.
 */

const decoder = new TextDecoder();

export interface FlatVector {
  readonly count: number;
  /** Position of its first element. */
  readonly start: number;
}

export class FlatTable {
  readonly #view: DataView;
  readonly #position: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;

  private constructor(view: DataView, position: number) {
    this.#view = view;
    this.#position = position;
    this.#vtable = position - view.getInt32(position, true);
    this.#vtableBytes = view.getUint16(this.#vtable, true);
  }

  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  uint8(slot: number): number {
    const at = this.#at(slot);
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  int16(slot: number, otherwise: number = 0): number {
    const at = this.#at(slot);
    return at === 0 ? otherwise : this.#view.getInt16(at, true);
  }

  int32(slot: number): number {
    const at = this.#at(slot);
    return at === 0 ? 0 : this.int32At(at);
  }

  int64(slot: number): number {
    const at = this.#at(slot);
    return at === 0 ? 0 : this.int64At(at);
  }

  has(slot: number): boolean {
    return this.#at(slot) !== 0;
  }

  /** Of the value in this slot; 0 where there is none. */
  position(slot: number): number {
    return this.#at(slot);
  }

  /** '' where there is none. */
  text(slot: number): string {
    const { count, start } = this.vector(slot, 1);
    const { buffer, byteOffset } = this.#view;
    return decoder.decode(new Uint8Array(buffer, byteOffset + start, count));
  }

  table(slot: number): FlatTable | null {
    const at = this.#at(slot);
    return at === 0 ? null : this.tableAt(at);
  }

  vector(slot: number, elementBytes: number): FlatVector {
    const at = this.#at(slot);
    if (at === 0) return { count: 0, start: 0 };
    const start = at + this.#view.getUint32(at, true) + 4;
    const count = this.#view.getUint32(start - 4, true);
    if (start + count * elementBytes <= this.#view.byteLength) return { count, start };
    throw new RangeError(`a vector of ${count} elements is longer than what it is in`);
  }

  /** The elements of a vector of tables. */
  *tables(slot: number): Generator<FlatTable> {
    const { count, start } = this.vector(slot, 4);
    for (let index = 0; index < count; index += 1) yield this.tableAt(start + index * 4);
  }

  /** Where the offset of a table is. */
  tableAt(position: number): FlatTable {
    return new FlatTable(this.#view, position + this.#view.getUint32(position, true));
  }

  int32At(position: number): number {
    return this.#view.getInt32(position, true);
  }

  int64At(position: number): number {
    const value = Number(this.#view.getBigInt64(position, true));
    if (Number.isSafeInteger(value)) return value;
    throw new RangeError(`the number ${value} is beyond 2^53`);
  }

  /** Position of the value in this slot; 0 where there is none. */
  #at(slot: number): number {
    const entry = 4 + slot * 2;
    if (entry >= this.#vtableBytes) return 0;
    const offset = this.#view.getUint16(this.#vtable + entry, true);
    return offset === 0 ? 0 : this.#position + offset;
  }
}
