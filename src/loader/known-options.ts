/** Which options `load()` has: one that is misspelt or of a wrong type must not be passed over. */
import { Mx8Error } from '../core/base/errors.ts';
import { nearest } from '../core/base/nearest.ts';
import type { LoadOptions } from './options.ts';

/** What `typeof` says of each. */
const OPTION_TYPES: Readonly<Record<keyof LoadOptions, readonly string[]>> = {
  batchSize: ['number'],
  dropLast: ['boolean'],
  maxInflightBytes: ['number'],
  maxRamBytes: ['number'],
  prefetchBatches: ['number'],
  maxQueueBatches: ['number'],
  start: ['number'],
  end: ['number'],
  shuffle: ['boolean'],
  seed: ['bigint', 'number'],
  epoch: ['number'],
  blockSize: ['number'],
  rank: ['number'],
  worldSize: ['number'],
  streaming: ['boolean'],
  shuffleBufferSize: ['number'],
  resume: ['string', 'object'],
  signal: ['object'],
  job: ['string'],
  coord: ['string'],
  node: ['string'],
  want: ['number'],
  progressIntervalMs: ['number'],
  manifestStoreRoot: ['string'],
  format: ['string'],
  columns: ['object'],
  rowsPerSample: ['number'],
  unpackRatioMax: ['number'],
  unpackBytesMax: ['number'],
  stores: ['object'],
  diskCache: ['string'],
  diskCacheBytes: ['number'],
  onSampleError: ['function'],
  events: ['object'],
};

/** Callers in JavaScript can pass anything. */
export function checkArguments(link: unknown, options: unknown): void {
  if (typeof link !== 'string') {
    throw invalid('link', `load(): the link is a text such as './photos', not ${shown(link)}.`);
  }
  if (typeof options !== 'object' || options === null) {
    throw invalid('options', `load(): the options are an object, not ${shown(options)}.`);
  }
  for (const [name, value] of Object.entries(options)) {
    const types: readonly string[] | undefined = isOption(name) ? OPTION_TYPES[name] : undefined;
    if (types === undefined) throw unknownOption(name);
    if (value === undefined || (types.includes(typeof value) && value !== null)) continue;
    throw invalid(
      name,
      `load(): ${name} is ${types.map(withArticle).join(' or ')}, not ${shown(value)}.`,
    );
  }
}

function withArticle(type: string): string {
  return `${type === 'object' ? 'an' : 'a'} ${type}`;
}

function isOption(name: string): name is keyof LoadOptions {
  return Object.hasOwn(OPTION_TYPES, name);
}

function unknownOption(name: string): Mx8Error {
  const names = Object.keys(OPTION_TYPES);
  const near = nearest(name, names);
  const hint = near === null ? `it has ${names.join(', ')}` : `did you mean ${near}?`;
  return invalid(name, `load() has no option "${name}"; ${hint}`);
}

function invalid(option: string, message: string): Mx8Error {
  return new Mx8Error('load_options_invalid', message, { option });
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}
