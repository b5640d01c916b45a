/** `files()`: one file for each row. */
import { forEachBounded } from '../storage/local-output.ts';
import { checkFileRows, type FileRow } from './file-rows.ts';
import type { Sink } from './sink.ts';

/** Each row as a file of the output folder, under its own name. */
export function files(dir: string | null = null): Sink<FileRow> {
  return {
    kind: 'files',
    dir,
    openPart: (part) => ({
      async write(rows, batch) {
        // A few at a time, as each may be a question to a store; they begin in the order of the rows.
        await forEachBounded(checkFileRows(rows, batch), ({ name, data, sampleId }) =>
          part.wholeFile(name, data, sampleId),
        );
      },
      finish: () => {},
    }),
  };
}
