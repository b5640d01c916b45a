/**
 * The head of an HTTP/1.1 answer, parsed strictly: what a proxy and this client could read in two ways is
 * refused. Only heads; how the body is framed is for `bodyFraming` to say.
 */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly keepsAlive: boolean;
}

/** Longer heads are no answer of a store. */
export const HEAD_BYTES_MAX: number = 16 * 1024;

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: [^\r\n]*)?$/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/;
/** Headers of which two that differ are two answers in one. */
const SINGLE = new Set(['content-length', 'content-range', 'transfer-encoding', 'etag']);

/** `text` is everything before the empty line. A sentence when it is no head. */
export function parseResponseHead(text: string): ResponseHead | string {
  const lines = text.split('\r\n');
  const status = STATUS_LINE.exec(lines[0] ?? '');
  if (status === null) return `the status line ${quote(lines[0] ?? '')} is not HTTP/1.1`;
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const match = HEADER_LINE.exec(line);
    if (match === null) return `the header line ${quote(line)} is none`;
    const name = (match[1] ?? '').toLowerCase();
    const value = match[2] ?? '';
    const before = headers.get(name);
    if (before !== undefined && before !== value && SINGLE.has(name)) {
      return `it has two headers ${name}: ${quote(before)} and ${quote(value)}`;
    }
    headers.set(name, value);
  }
  const connection = (headers.get('connection') ?? '').toLowerCase();
  const keepsAlive = status[1] === '1' ? connection !== 'close' : connection === 'keep-alive';
  return { status: Number(status[2]), headers, keepsAlive };
}

export type BodyFraming =
  | { readonly type: 'length'; readonly bytes: number }
  | { readonly type: 'chunked' }
  | { readonly type: 'until_close' };

/** How the body of an answer to a GET ends. A sentence when the head contradicts itself. */
export function bodyFraming({ status, headers }: ResponseHead): BodyFraming | string {
  if (status === 204 || status === 304) return { type: 'length', bytes: 0 };
  const coding = headers.get('transfer-encoding');
  const length = headers.get('content-length');
  if (coding !== undefined) {
    if (length !== undefined) return 'it has both content-length and transfer-encoding';
    if (coding.toLowerCase() !== 'chunked') return `its transfer-encoding is ${quote(coding)}`;
    return { type: 'chunked' };
  }
  if (length === undefined) return { type: 'until_close' };
  if (!/^\d{1,15}$/.test(length)) return `its content-length is ${quote(length)}`;
  return { type: 'length', bytes: Number(length) };
}

export interface ContentRange {
  readonly start: number;
  /** One past the last byte. */
  readonly end: number;
  /** Bytes of the whole object; -1 when it does not say. */
  readonly total: number;
}

export function parseContentRange(text: string | undefined): ContentRange | null {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(text ?? '');
  if (match === null) return null;
  return {
    start: Number(match[1]),
    end: Number(match[2]) + 1,
    total: match[3] === '*' ? -1 : Number(match[3]),
  };
}

/** Weak tags name the same bytes only by and large; S3's are never weak. */
export function normalEtag(header: string | undefined): string {
  return (header ?? '').replace(/^W\//, '').replaceAll('"', '');
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
