/** Makes the demonstration's data set: one packed shard and its manifest. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { encodeUstarHeader, paddedLength } from '../../core/base/ustar.ts';

const FLUSH_BYTES = 1024 ** 2;
const HEADER_BYTES = 512;

/** Writes `shard-00000.tar` and `manifest.tsv` into `folder` and returns the path of the manifest. */
export async function makeSamples(
  folder: string,
  count: number,
  bytesPerSample: number,
): Promise<string> {
  const shardPath = join(folder, 'shard-00000.tar');
  const manifestPath = join(folder, 'manifest.tsv');
  const shard = createWriteStream(shardPath);
  const manifest = createWriteStream(manifestPath);
  let lines = 'schema_version=0\n';
  let offset = HEADER_BYTES;
  for (let id = 0; id < count; id += 1) {
    const name = `${String(id).padStart(20, '0')}.bin`;
    const body = new Uint8Array(paddedLength(bytesPerSample));
    body.fill(id & 0xff, 0, bytesPerSample);
    shard.write(encodeUstarHeader({ name, size: bytesPerSample }));
    if (!shard.write(body)) await once(shard, 'drain');
    lines += `${id}\t${shardPath}\t${offset}\t${bytesPerSample}\t\n`;
    offset += HEADER_BYTES + body.length;
    if (lines.length < FLUSH_BYTES) continue;
    if (!manifest.write(lines)) await once(manifest, 'drain');
    lines = '';
  }
  shard.end(new Uint8Array(2 * HEADER_BYTES));
  manifest.end(lines);
  await Promise.all([once(shard, 'close'), once(manifest, 'close')]);
  return manifestPath;
}
