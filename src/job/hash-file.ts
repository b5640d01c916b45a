/** The SHA-256 of a file of an output, in bounded memory. */
import { createHash } from 'node:crypto';
import { manifestHash, type ManifestHash } from '../core/base/units.ts';
import type { OutputStore } from '../ports/output-store.ts';

/** The hash of a manifest's canonical bytes; null when there is no such file. */
export async function hashFile(store: OutputStore, name: string): Promise<ManifestHash | null> {
  const hash = createHash('sha256');
  const chunks = await store.chunks(name);
  if (chunks === null) return null;
  for await (const chunk of chunks) hash.update(chunk);
  return manifestHash(hash.digest('hex'));
}
