/**
 * Who the keys below a prefix belong to. The key `<prefix>format` names mx8, the version of what lies
 * there and the state's name; without it, nothing else may be below the prefix.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { KvError, type KvPair, type KvStore } from '../ports/kv-store.ts';
import { storeError } from './kv-errors.ts';

/** Version of the keys and values below a prefix. An older one is read, a newer one refused. */
export const KV_FORMAT_VERSION = 1;

/** An unknown outcome is read again this often before it is given up. */
const ATTEMPTS_MAX = 5;

export interface KvPlace {
  /** The state's name: coordinators that are to share one say the same. */
  readonly name: string;
  /** What the keys of this state begin with. */
  readonly prefix: string;
}

export function kvPlace(name: string): KvPlace {
  return { name, prefix: `mx8/${name}/` };
}

/** The end of the range of keys that begin with `prefix`, for an ASCII prefix. */
export function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** Marks the prefix as this state's, or sees that it is. Rejects with `Mx8Error` where it is not. */
export async function claimKvPlace(kv: KvStore, place: KvPlace): Promise<void> {
  const key = `${place.prefix}format`;
  try {
    for (let attempts = 1; ; attempts += 1) {
      const [format] = (await kv.range(key, null)).pairs;
      if (format !== undefined) return checkFormat(place, format);
      await checkEmpty(kv, place);
      const value = { mx8: 'coordinator state', version: KV_FORMAT_VERSION, name: place.name };
      try {
        await kv.transact({
          compares: [{ key, target: 'create_revision', revision: 0 }],
          then: [{ type: 'put', key, value: new TextEncoder().encode(JSON.stringify(value)) }],
          else: [],
        });
      } catch (error) {
        // Made or not, by us or by another: the next round reads what is there.
        const isUnknown = error instanceof KvError && !error.isDecided && error.retryable;
        if (!isUnknown || attempts >= ATTEMPTS_MAX) throw error;
      }
    }
  } catch (error) {
    throw storeError(error);
  }
}

async function checkEmpty(kv: KvStore, { prefix }: KvPlace): Promise<void> {
  const [other] = (await kv.range(prefix, endOfPrefix(prefix), 1)).pairs;
  // Another coordinator may have marked it since we looked.
  if (other === undefined || other.key === `${prefix}format`) return;
  throw new Mx8Error(
    'store_refused',
    `the store holds keys below ${prefix} that are not mx8's, such as ${other.key}; choose another name at the end of --state`,
    { prefix },
  );
}

function checkFormat({ name, prefix }: KvPlace, pair: KvPair): void {
  const format = parsed(pair);
  const version = format?.['version'];
  if (format?.['mx8'] !== 'coordinator state' || typeof version !== 'number') {
    throw new Mx8Error(
      'store_refused',
      `the key ${pair.key} in the store is not mx8's; choose another name at the end of --state`,
      { prefix },
    );
  }
  if (version > KV_FORMAT_VERSION) {
    throw new Mx8Error(
      'coordinator_state_newer',
      `the coordinator's state below ${prefix} in the store has version ${version}, this mx8 reads up to ${KV_FORMAT_VERSION}; start a newer mx8`,
      { prefix, version },
    );
  }
  if (format['name'] !== name) {
    throw new Mx8Error(
      'store_refused',
      `the state below ${prefix} in the store calls itself ${JSON.stringify(format['name'])}: it was copied from another; restore it under its own name, or choose another name at the end of --state`,
      { prefix },
    );
  }
}

function parsed(pair: KvPair): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(pair.value));
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
