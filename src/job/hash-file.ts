/** The SHA-256 of a file, in bounded memory. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { manifestHash, type ManifestHash } from '../core/base/units.ts';
import { errnoOf } from '../storage/output-error.ts';

/** The hash of a manifest's canonical bytes; null when there is no such file. */
export async function hashFile(path: string): Promise<ManifestHash | null> {
  const hash = createHash('sha256');
  try {
    const chunks: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: 1 << 20 });
    for await (const chunk of chunks) hash.update(chunk);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  return manifestHash(hash.digest('hex'));
}
