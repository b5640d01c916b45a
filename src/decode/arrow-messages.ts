/**
 * Goes through the messages of an Arrow file or stream. A file has a footer that says where its record batches
 * are; a stream is walked from its start, of which only the heads of batches are read that nobody asks for. Of a batch
 * that is asked for the buffers of the chosen columns are read, and of dictionaries theirs.
 */
import { chooseColumns, chosenBatch, chosenSchema } from '../core/format/arrow-choice.ts';
import type { ArrowChoice } from '../core/format/arrow-choice.ts';
import { parseArrowFooter, parseArrowMessage } from '../core/format/arrow-message.ts';
import type { ArrowContent, ArrowMessage } from '../core/format/arrow-message.ts';
import { FormatError } from '../core/format/format-error.ts';
import {
  ARROW_GAP_BYTES,
  ARROW_METADATA_BYTES_MAX,
  TABLE_GROUP_BYTES_MAX,
  TABLE_GROUP_ROWS_MAX,
} from './limits.ts';
import type { TableFile } from './table-file.ts';
import { fill, newBytes, readAll } from './table-file.ts';

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
  /** Of the chosen columns, where there is a choice. */
  readonly schema: WholeMessage;
  /** Null: its batches are read whole. */
  readonly choice: ArrowChoice | null;
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
  const first = await messageOf(file, FILE_HEAD_BYTES, size, 'schema');
  const { schema, choice } = await schemaOf(file, first);
  const dictionaries = new Dictionaries(file, choice);
  for (const { at } of blocks.dictionaries) {
    await dictionaries.add(await messageOf(file, at, size, 'dictionary'));
  }
  for (const { at } of blocks.batches) {
    const found = await messageOf(file, at, size, 'batch');
    yield { schema, choice, dictionaries: dictionaries.all, found };
  }
}

async function* batchesOfStream(
  file: TableFile,
  size: number,
): AsyncGenerator<FoundBatch, void, undefined> {
  const first = await messageAt(file, 0, size);
  if (first === null) throw new FormatError('no Arrow data: it has no schema', 0);
  const { schema, choice } = await schemaOf(file, first);
  const dictionaries = new Dictionaries(file, choice);
  for (let at = endOf(first); at < size;) {
    const found = await messageAt(file, at, size);
    if (found === null) return;
    if (found.message.type === 'dictionary') await dictionaries.add(found);
    if (found.message.type === 'batch') {
      yield { schema, choice, dictionaries: dictionaries.all, found };
    }
    at = endOf(found);
  }
}

/** A record batch with its body, or what the choice has of it. */
export async function batchMessage(
  file: TableFile,
  { found, choice }: Pick<FoundBatch, 'found' | 'choice'>,
): Promise<WholeMessage> {
  const { message, metadata, at, bodyAt } = found;
  if (choice === null || message.type !== 'batch') return wholeMessage(file, found);
  const part = parsed(at, () => chosenBatch(metadata, message.regions, choice, ARROW_GAP_BYTES));
  if (part === null) return wholeMessage(file, found);
  const chosen = parsed(at, () => parseArrowMessage(part.metadata));
  const { whole, body } = begun(part.metadata, part.bytes, at);
  const readings = part.ranges.map(({ start, length }, index) => {
    const place = part.places[index] ?? 0;
    return fill(file, bodyAt + start, body.subarray(place, place + length));
  });
  // Nobody may let go of the memory while something is read into it.
  const [failed] = (await Promise.allSettled(readings)).filter(
    (reading) => reading.status === 'rejected',
  );
  if (failed !== undefined) throw failed.reason;
  if (chosen.type === 'batch') checkContent(chosen, body, at);
  return whole;
}

/** The message with its body, aligned as its numbers must be. */
async function wholeMessage(
  file: TableFile,
  { metadata, bodyAt, message, at }: FoundMessage,
): Promise<WholeMessage> {
  const { whole, body } = begun(metadata, message.bodyBytes, at);
  if (body.length > 0) await fill(file, bodyAt, body);
  if (message.type === 'batch' || message.type === 'dictionary') checkContent(message, body, at);
  return whole;
}

/** All but the body, which is to be filled. */
function begun(
  metadata: Uint8Array,
  bodyBytes: number,
  at: number,
): { readonly whole: WholeMessage; readonly body: Uint8Array } {
  if (bodyBytes > TABLE_GROUP_BYTES_MAX) {
    const what = `an Arrow record batch or dictionary of ${bodyBytes} bytes; at most ${TABLE_GROUP_BYTES_MAX} can be decoded at a time`;
    throw new FormatError(
      `${what}: choose fewer columns, or write the file with smaller batches`,
      at,
    );
  }
  const bodyAt = 8 + Math.ceil(metadata.length / 8) * 8;
  const whole = newBytes(bodyAt + bodyBytes);
  const view = new DataView(whole.buffer);
  view.setInt32(0, -1, true);
  view.setInt32(4, bodyAt - 8, true);
  whole.set(metadata, 8);
  whole.fill(0, 8 + metadata.length, bodyAt);
  return { whole, body: whole.subarray(bodyAt) };
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
    throw new FormatError(
      `${what}: choose fewer columns, or write the file with smaller batches`,
      at,
    );
  }
  if (valuesMax <= Math.max(TABLE_GROUP_ROWS_MAX, bytes * 8)) return;
  throw new FormatError(`an Arrow column of ${valuesMax} values in ${bytes} bytes`, at);
}

/** Those of a file, or of a stream so far, that chosen columns need: a new one of an id stands for the one before. */
class Dictionaries {
  readonly #file: TableFile;
  readonly #choice: ArrowChoice | null;
  #known: FoundDictionary[] = [];
  #bytes = 0;

  constructor(file: TableFile, choice: ArrowChoice | null) {
    this.#file = file;
    this.#choice = choice;
  }

  get all(): readonly FoundDictionary[] {
    return this.#known;
  }

  async add(found: FoundMessage): Promise<void> {
    const { message } = found;
    if (message.type !== 'dictionary') return;
    if (this.#choice?.dictionaries.has(message.id) === false) return;
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

async function schemaOf(
  file: TableFile,
  found: FoundMessage,
): Promise<Pick<FoundBatch, 'schema' | 'choice'>> {
  const { message, metadata, at } = found;
  if (message.type !== 'schema') {
    throw new FormatError('no Arrow data: it does not begin with a schema', at);
  }
  const choice = parsed(at, () => chooseColumns(metadata, file.columns));
  if (choice === null) return { schema: await wholeMessage(file, found), choice };
  const part = parsed(at, () => chosenSchema(metadata, choice));
  parsed(at, () => parseArrowMessage(part));
  return { schema: await wholeMessage(file, { ...found, metadata: part }), choice };
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
  const message = parsed(at, () => parseArrowMessage(metadata));
  const bodyAt = from + length;
  if (bodyAt + message.bodyBytes > size) throw cutOff(at);
  return { at, metadata, bodyAt, message };
}

function parsed<T>(at: number, parse: () => T): T {
  try {
    return parse();
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
