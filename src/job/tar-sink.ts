/** `tar()`: rows as entries of USTAR archives. */
import { encodeUstarHeader, paddedLength, USTAR_END_BYTES } from '../core/base/ustar.ts';
import { checkFileRows, type FileRow } from './file-rows.ts';
import { nameTaken, partName } from './output-name.ts';
import type { AppendFile, OutputRecord, Sink } from './sink.ts';

/**
 * Rows as entries of `part-<first sample>-<end>.tar`, in the order of the samples. Names are unique
 * within a part; entries of different parts lie in different archives.
 */
export function tar(dir: string | null = null): Sink<FileRow> {
  return {
    kind: 'tar',
    dir,
    async openPart(part) {
      const file = await part.appendFile((range) => partName(range, 'tar'));
      const owners = new Map<string, number>();
      return {
        async write(rows, batch) {
          const checked = checkFileRows(rows, batch);
          const added = new Map<string, number>();
          for (const { name, sampleId } of checked) {
            const owner = owners.get(name) ?? added.get(name);
            if (owner !== undefined) throw nameTaken(name, sampleId, owner);
            added.set(name, sampleId);
          }
          const records: OutputRecord[] = [];
          for (const { name, data, sampleId } of checked) {
            records.push(await appendEntry(file, name, data, sampleId));
          }
          for (const record of records) file.record(record);
          for (const [name, sampleId] of added) owners.set(name, sampleId);
        },
        async finish() {
          if (file.sizeBytes > 0) await file.append(new Uint8Array(USTAR_END_BYTES));
        },
      };
    },
  };
}

async function appendEntry(
  file: AppendFile,
  name: string,
  data: Uint8Array,
  sampleId: number,
): Promise<OutputRecord> {
  await file.append(encodeUstarHeader({ name, size: data.length }));
  const offset = file.sizeBytes;
  await file.append(data);
  await file.append(new Uint8Array(paddedLength(data.length) - data.length));
  return { offset, length: data.length, sampleId };
}
