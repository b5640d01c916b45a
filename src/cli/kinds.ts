/** The kinds of values that flags and variables take. */
import { Mx8Error } from '../core/base/errors.ts';
import { parseCoordUrl } from '../wire/coord-url.ts';
import type { Kind } from './flag.ts';

const INTEGER = /^(0|[1-9]\d{0,15})$/;
const DECIMAL = /^\d{1,9}(\.\d{1,6})?$/;
const BYTES = /^(\d{1,15}(?:\.\d{1,6})?) ?(b|[kmgtp](?:ib|b)?)?$/i;
const DURATION = /^(\d{1,12}(?:\.\d{1,6})?) ?(ms|s|m|h|d)?$/;

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** K and KiB are 1024 bytes, KB is 1000. */
const BYTE_POWERS: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 };

const TRUE_WORDS: ReadonlySet<string> = new Set(['1', 'true', 'yes', 'on']);
const FALSE_WORDS: ReadonlySet<string> = new Set(['0', 'false', 'no', 'off']);

export function text(placeholder: string, takes: string = 'a text'): Kind<string> {
  return { takes, placeholder, parse: (raw) => (raw === '' ? undefined : raw) };
}

/** A file or folder; relative paths are meant from the current folder. */
export function path(placeholder: string, takes: string): Kind<string> {
  return { takes, placeholder, parse: (raw) => (raw === '' ? undefined : raw) };
}

export interface IntegerLimits {
  readonly min?: number;
  readonly max?: number;
}

/** A whole number; `unit` is the plural noun of what is counted. */
export function count(unit: string, limits: IntegerLimits = {}): Kind<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = limits;
  const bound = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  return {
    takes: `a whole number of ${unit}, ${bound}`,
    placeholder: 'N',
    parse: (raw) => within(INTEGER.test(raw) ? Number(raw) : undefined, min, max),
  };
}

/** A size in bytes: `65536`, `64KiB`, `1.5G`, `200MB`. */
export function bytes(limits: IntegerLimits = {}): Kind<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = limits;
  const bound = min > 0 ? `, ${min} bytes or more` : '';
  return {
    takes: `a size in bytes such as 65536, 64MiB, 1.5G or 200MB${bound}`,
    placeholder: 'BYTES',
    parse: (raw) => within(parseBytes(raw), min, max),
  };
}

function parseBytes(raw: string): number | undefined {
  const match = BYTES.exec(raw);
  if (match === null) return undefined;
  const unit = (match[2] ?? 'b').toLowerCase();
  const base = unit.length === 2 ? 1000 : 1024;
  const size = Number(match[1]) * base ** (BYTE_POWERS[unit.charAt(0)] ?? 0);
  return Number.isInteger(size) ? size : Math.floor(size);
}

/** A time span in milliseconds: `500`, `500ms`, `10s`, `2m`, `1h`. */
export function durationMs(limits: IntegerLimits = {}): Kind<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = limits;
  const bound = min > 0 ? `, ${min} ms or more` : '';
  return {
    takes: `a time in milliseconds, or with a unit such as 500ms, 10s or 2m${bound}`,
    placeholder: 'MS',
    parse(raw) {
      const match = DURATION.exec(raw);
      if (match === null) return undefined;
      const spanMs = Number(match[1]) * (DURATION_UNITS_MS[match[2] ?? 'ms'] ?? 1);
      return within(Number.isInteger(spanMs) ? spanMs : undefined, min, max);
    },
  };
}

/** Gibibytes as people say them, `4` or `0.5`; the value is in bytes. */
export function gibibytes(): Kind<number> {
  return {
    takes: 'a number of GiB above 0, such as 4 or 0.5',
    placeholder: 'G',
    parse(raw) {
      if (!DECIMAL.test(raw)) return undefined;
      const size = Math.floor(Number(raw) * 1024 ** 3);
      return size > 0 ? size : undefined;
    },
  };
}

export function onOff(): Kind<boolean> {
  return {
    takes: 'true or false (also 1, 0, yes, no, on, off)',
    placeholder: '',
    parse(raw) {
      const word = raw.toLowerCase();
      if (TRUE_WORDS.has(word)) return true;
      return FALSE_WORDS.has(word) ? false : undefined;
    },
  };
}

export function choice<T extends string>(words: readonly T[]): Kind<T> {
  return {
    takes: `one of ${words.join(', ')}`,
    placeholder: words.join('|'),
    parse: (raw) => words.find((word) => word === raw),
  };
}

/** Names with commas between. */
export function list(of: string, placeholder: string): Kind<readonly string[]> {
  return {
    takes: `a list of ${of}, with commas between`,
    placeholder,
    parse(raw) {
      const words = raw.split(',').map((word) => word.trim());
      return words.every((word) => word !== '') ? words : undefined;
    },
  };
}

/** A 64-bit unsigned number, as seeds are. */
export function uint64(): Kind<bigint> {
  return {
    takes: 'a whole number from 0 to 2^64 - 1',
    placeholder: 'N',
    parse(raw) {
      if (!/^\d{1,20}$/.test(raw)) return undefined;
      const value = BigInt(raw);
      return value < 1n << 64n ? value : undefined;
    },
  };
}

/** `host:port`, `[v6]:port` or `:port`; port 0 takes any free one. */
export function bindAddress(): Kind<string> {
  return {
    takes: 'an address host:port such as 127.0.0.1:50051 or [::1]:50051',
    placeholder: 'HOST:PORT',
    parse(raw) {
      const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]/]*):(\d{1,5})$/.exec(raw);
      return match !== null && Number(match[2]) <= 65_535 ? raw : undefined;
    },
  };
}

/** An address like that, or null for `off`. */
export function optionalBindAddress(): Kind<string | null> {
  const address = bindAddress();
  return {
    takes: 'an address host:port such as 127.0.0.1:50080, or off',
    placeholder: address.placeholder,
    parse: (raw) => (raw === 'off' ? null : address.parse(raw)),
  };
}

/** Where a coordinator listens, as clients name it; several are separated by commas. */
export function coordinatorUrl(): Kind<string> {
  return {
    takes: 'an address such as http://127.0.0.1:50051 or host:50051, several with commas between',
    placeholder: 'URL',
    parse(raw) {
      try {
        return parseCoordUrl(raw).length > 0 ? raw : undefined;
      } catch (error) {
        if (error instanceof Mx8Error) return undefined;
        throw error;
      }
    },
  };
}

/** Servers as scheme, host and port. */
export function origins(): Kind<readonly string[]> {
  return {
    takes: 'an origin such as https://cdn.example.com, several with commas between',
    placeholder: 'URLS',
    parse(raw) {
      const urls = raw.split(',').map((part) => (URL.canParse(part) ? new URL(part) : null));
      const isOrigin = (url: URL | null): url is URL =>
        url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
      return urls.every(isOrigin) ? urls.map(({ origin }) => origin) : undefined;
    },
  };
}

/** An id that travels in messages and logs. */
export function id(of: string): Kind<string> {
  return {
    takes: `a ${of} id: 1 to 128 visible ASCII characters without spaces`,
    placeholder: 'ID',
    parse: (raw) => (/^[\x21-\x7e]{1,128}$/.test(raw) ? raw : undefined),
  };
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
