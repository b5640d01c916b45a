/** A manifest that somebody wrote into a file, as canonical bytes. */
import { open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { encodeHeader, encodeRecords } from '../core/manifest/encode.ts';
import { isUrl } from '../core/manifest/location.ts';
import { ManifestDecoder } from '../core/manifest/manifest-decoder.ts';
import type { Places } from '../ports/place.ts';
import { readChunks } from './file-bytes.ts';
import { IO_CHUNK_BYTES } from './limits.ts';
import { objectBytes } from './object-bytes.ts';
import { systemCode, systemReason } from './system-error.ts';

/** The bytes as they are; of a file, or of an object in a store. */
export async function* manifestFileBytes(
  path: string,
  places: Places | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (places !== undefined && isUrl(path)) {
    yield* objectBytes(places.of(path), path, signal);
    return;
  }
  let file: FileHandle | null = null;
  try {
    file = await open(path, 'r');
    yield* readChunks(file, IO_CHUNK_BYTES, signal);
  } catch (error) {
    if (systemCode(error) === '') throw error;
    const what = `Cannot read the manifest ${path}: ${systemReason(error)}.`;
    throw new Mx8Error('manifest_missing', what, { path, system_code: systemCode(error) }, error);
  } finally {
    await file?.close();
  }
}

/**
 * The same records in canonical form. Relative locations of a dev manifest count from the folder that
 * the manifest is in.
 */
export async function* canonicalised(
  path: string,
  allowDev: boolean,
  onSamples: (samples: number) => void,
  places: Places | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const isObject = isUrl(path);
  const folder = dirname(isObject ? path : await realpath(path));
  const decoder = new ManifestDecoder({
    source: path,
    allowDev,
    resolveLocation: (location) =>
      isObject ? `${folder}/${location.replace(/^(?:\.\/)+/, '')}` : resolve(folder, location),
  });
  yield encodeHeader();
  for await (const chunk of manifestFileBytes(path, places, signal)) {
    const records = decoder.push(chunk);
    if (records.length === 0) continue;
    yield encodeRecords(records);
    onSamples(decoder.sampleCount);
  }
  decoder.finish();
}
