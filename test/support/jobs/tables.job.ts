/** Columns out of columns; its worker is killed in the middle of two samples, once each. For tests of the sink. */
import { writeFileSync } from 'node:fs';
import { columnTable, defineJob, parquet, type ColumnTable, type JobDefinition } from 'mx8/job';

const job: JobDefinition<ColumnTable> = defineJob({
  name: 'tables',
  rowsPerSample: 10,
  batch: 1,
  process: (batch) =>
    Array.from(batch, (sample) => {
      if (sample.id === 2 || sample.id === 5) dieOnce(sample.id);
      const table = sample.columns();
      const ids = Array.from({ length: table.rows }, (_, row) =>
        Number(table.column('id').at(row)),
      );
      return columnTable({
        id: table.column('id'),
        vector: table.column('vector'),
        half: Int32Array.from(ids, (id) => id >> 1),
        odd: ids.map((id) => (id % 2 === 1 ? `odd ${id}` : null)),
      });
    }),
  output: parquet(),
});

function dieOnce(id: number): void {
  const folder = process.env['TEST_DEATHS'] ?? '';
  try {
    writeFileSync(`${folder}/died-at-${id}`, '', { flag: 'wx' });
  } catch {
    return;
  }
  process.kill(process.pid, 'SIGKILL');
}

export default job;
