/**
 * Goes through the messages of an Arrow file or stream. A file has a footer that says where its record batches
 * are; a stream is walked from its start, of which only the heads of batches are read that nobody asks for.
 */
import { parseArrowFooter, parseArrowMessage } from '../core/format/arrow-message.ts';
import type { ArrowContent, ArrowMessage } from '../core/format/arrow-message.ts';
import { FormatError } from '../core/format/format-error.ts';
import { ARROW_METADATA_BYTES_MAX, TABLE_GROUP_BYTES_MAX, TABLE_GROUP_ROWS_MAX } from './limits.ts';
import type { TableFile } from './table-file.ts';
import { readAll } from './table-file.ts';

const MAGIC = 'ARROW1';
/** The magic and two bytes of nothing, before the first message. */
const FILE_HEAD_BYTES = 8;
/** The length of the footer and the magic again. */
const FILE_TAIL_BYTES = 10;

/** A message, of which the body is not read yet. */
export interface FoundMessage {
  readonly at: number;
  readonly metadata: Uint8Array;
  readonly bodyAt: number;
  readonly message: ArrowMessage;
}

/** A message as a decoder takes it: with its length before it, and its body behind it. */
export type WholeMessage = Uint8Array<ArrayBuffer>;

export interface FoundBatch {
  readonly schema: WholeMessage;
  /** Those that its columns may name, in order. */
  readonly dictionaries: readonly FoundDictionary[];
  readonly found: FoundMessage;
}

export interface FoundDictionary {
  readonly found: FoundMessage;
  readonly whole: WholeMessage;
}

/** Every record batch, in order, without its body. */
export async function* arrowBatches(
  file: TableFile,
  size: number,
): AsyncGenerator<FoundBatch, void, undefined> {
  const head = await readAll(file, 0, Math.min(size, FILE_HEAD_BYTES));
  const isFile = Buffer.from(head.buffer).toString('latin1', 0, MAGIC.length) === MAGIC;
  if (isFile) yield* batchesOfFile(file, size);
  else yield* batchesOfStream(file, size);
}

async function* batchesOfFile(
  file: TableFile,
  size: number,
): AsyncGenerator<FoundBatch, void, undefined> {
  const blocks = await readFooter(file, size);
  const schema = await schemaAt(file, FILE_HEAD_BYTES, size);
  const dictionaries = new Dictionaries(file);
  for (const { at } of blocks.dictionaries) {
    await dictionaries.add(await messageOf(file, at, size, 'dictionary'));
  }
  for (const { at } of blocks.batches) {
    const found = await messageOf(file, at, size, 'batch');
    yield { schema, dictionaries: dictionaries.all, found };
  }
}

async function* batchesOfStream(
  file: TableFile,
  size: number,
): AsyncGenerator<FoundBatch, void, undefined> {
  const first = await messageAt(file, 0, size);
  if (first === null) throw new FormatError('no Arrow data: it has no schema', 0);
  const schema = await schemaOf(file, first);
  const dictionaries = new Dictionaries(file);
  for (let at = endOf(first); at < size;) {
    const found = await messageAt(file, at, size);
    if (found === null) return;
    if (found.message.type === 'dictionary') await dictionaries.add(found);
    if (found.message.type === 'batch') {
      yield { schema, dictionaries: dictionaries.all, found };
    }
    at = endOf(found);
  }
}

/** The message with its body, aligned as its numbers must be. */
export async function wholeMessage(
  file: TableFile,
  { metadata, bodyAt, message, at }: FoundMessage,
): Promise<WholeMessage> {
  const { bodyBytes } = message;
  if (bodyBytes > TABLE_GROUP_BYTES_MAX) {
    const what = `an Arrow record batch or dictionary of ${bodyBytes} bytes; at most ${TABLE_GROUP_BYTES_MAX} can be decoded at a time`;
    throw new FormatError(`${what}: write the file with smaller batches`, at);
  }
  const metadataBytes = Math.ceil(metadata.length / 8) * 8;
  const whole = new Uint8Array(8 + metadataBytes + bodyBytes);
  const view = new DataView(whole.buffer);
  view.setInt32(0, -1, true);
  view.setInt32(4, metadataBytes, true);
  whole.set(metadata, 8);
  if (bodyBytes > 0) {
    whole.set(await readAll(file, bodyAt, bodyBytes), 8 + metadataBytes);
  }
  if (message.type === 'batch' || message.type === 'dictionary') {
    checkContent(message, whole.subarray(8 + metadataBytes), at);
  }
  return whole;
}

/** That it has no more values than its bytes, decompressed, can be: each takes a bit at least, unless it is null. */
function checkContent(
  { valuesMax, regions, isCompressed }: ArrowContent,
  body: Uint8Array,
  at: number,
): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let bytes = 0;
  for (const { start, length } of regions) {
    const isPacked = isCompressed && length >= 8;
    const unpacked = isPacked ? Number(view.getBigInt64(start, true)) : -1;
    bytes += unpacked < 0 ? length : unpacked;
  }
  if (bytes > TABLE_GROUP_BYTES_MAX) {
    const what = `an Arrow record batch of ${bytes} bytes, decompressed; at most ${TABLE_GROUP_BYTES_MAX} can be decoded at a time`;
    throw new FormatError(`${what}: write the file with smaller batches`, at);
  }
  if (valuesMax <= Math.max(TABLE_GROUP_ROWS_MAX, bytes * 8)) return;
  throw new FormatError(`an Arrow column of ${valuesMax} values in ${bytes} bytes`, at);
}

/** Those of a file, or of a stream so far: a new one of an id stands for the one before. */
class Dictionaries {
  readonly #file: TableFile;
  #known: FoundDictionary[] = [];
  #bytes = 0;

  constructor(file: TableFile) {
    this.#file = file;
  }

  get all(): readonly FoundDictionary[] {
    return this.#known;
  }

  async add(found: FoundMessage): Promise<void> {
    const { message } = found;
    if (message.type !== 'dictionary') return;
    if (!message.isDelta) {
      this.#known = this.#known.filter(({ found: { message: other } }) => {
        const isReplaced = other.type === 'dictionary' && other.id === message.id;
        if (isReplaced) this.#bytes -= other.bodyBytes;
        return !isReplaced;
      });
    }
    this.#bytes += message.bodyBytes;
    if (this.#bytes > TABLE_GROUP_BYTES_MAX) {
      const what = `Arrow dictionaries of more than ${TABLE_GROUP_BYTES_MAX} bytes`;
      throw new FormatError(`${what}: write the file without them, or with fewer values`, found.at);
    }
    this.#known = [...this.#known, { found, whole: await wholeMessage(this.#file, found) }];
  }
}

function endOf({ bodyAt, message }: FoundMessage): number {
  return bodyAt + message.bodyBytes;
}

async function schemaAt(file: TableFile, at: number, size: number): Promise<WholeMessage> {
  return schemaOf(file, await messageOf(file, at, size, 'schema'));
}

async function schemaOf(file: TableFile, found: FoundMessage): Promise<WholeMessage> {
  if (found.message.type === 'schema') return await wholeMessage(file, found);
  throw new FormatError('no Arrow data: it does not begin with a schema', found.at);
}

async function messageOf(
  file: TableFile,
  at: number,
  size: number,
  type: ArrowMessage['type'],
): Promise<FoundMessage> {
  const found = at >= 0 && at < size ? await messageAt(file, at, size) : null;
  if (found !== null && found.message.type === type) return found;
  throw new FormatError(`a damaged Arrow file: there is no ${type} at byte ${at}`, at);
}

/** Null at the mark that ends a stream. */
async function messageAt(file: TableFile, at: number, size: number): Promise<FoundMessage | null> {
  const head = await readAll(file, at, Math.min(8, size - at));
  const view = new DataView(head.buffer);
  if (head.length < 4) throw cutOff(at);
  const first = view.getInt32(0, true);
  // Before 2019 there was no mark before the length.
  const isMarked = first === -1;
  if (first === 0) return null;
  if (isMarked && head.length < 8) throw cutOff(at);
  const length = isMarked ? view.getInt32(4, true) : first;
  if (length === 0) return null;
  if (length < 0 || length > ARROW_METADATA_BYTES_MAX) {
    throw new FormatError(`no Arrow message: its head would have ${length} bytes`, at);
  }
  const from = at + (isMarked ? 8 : 4);
  if (from + length > size) throw cutOff(at);
  const metadata = await readAll(file, from, length);
  const message = parsed(metadata, at);
  const bodyAt = from + length;
  if (bodyAt + message.bodyBytes > size) throw cutOff(at);
  return { at, metadata, bodyAt, message };
}

function parsed(metadata: Uint8Array, at: number): ArrowMessage {
  try {
    return parseArrowMessage(metadata);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FormatError(`a damaged Arrow message (${error.message})`, at);
  }
}

function cutOff(at: number): FormatError {
  return new FormatError('an Arrow message that is longer than the file: it was cut off', at);
}

async function readFooter(
  file: TableFile,
  size: number,
): Promise<ReturnType<typeof parseArrowFooter>> {
  const tailAt = Math.max(0, size - FILE_TAIL_BYTES);
  const tail = await readAll(file, tailAt, size - tailAt);
  const isWhole =
    tail.length === FILE_TAIL_BYTES && Buffer.from(tail.buffer).toString('latin1', 4) === MAGIC;
  if (!isWhole) {
    const what = 'no whole Arrow file: it does not end in ARROW1, so it may be cut off';
    throw new FormatError(what, tailAt);
  }
  const length = new DataView(tail.buffer).getInt32(0, true);
  const footerAt = tailAt - length;
  if (length <= 0 || length > ARROW_METADATA_BYTES_MAX || footerAt < FILE_HEAD_BYTES) {
    throw new FormatError(`an Arrow footer of ${length} bytes in a file of ${size}`, tailAt);
  }
  const bytes = await readAll(file, footerAt, length);
  try {
    return parseArrowFooter(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FormatError(`a damaged Arrow footer (${error.message})`, footerAt);
  }
}
