/** `files()`: one file for each row. */
import { checkFileRows, type FileRow } from './file-rows.ts';
import type { Sink } from './sink.ts';

/** Each row as a file of the output folder, under its own name. */
export function files(dir: string | null = null): Sink<FileRow> {
  return {
    kind: 'files',
    dir,
    openPart: (part) => ({
      async write(rows, batch) {
        for (const { name, data, sampleId } of checkFileRows(rows, batch)) {
          await part.wholeFile(name, data, sampleId);
        }
      },
      finish: () => {},
    }),
  };
}
