/** Reads the log of a finished run with SQLite alone: no gap, epochs never go back, one claim for each. */
import { DatabaseSync } from 'node:sqlite';

export function checkSqliteLog(path: string): string[] {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = db.prepare('SELECT seq, epoch, nonce FROM entry ORDER BY seq').all();
    const wrong: string[] = [];
    const claimed = new Set<number>();
    let before = { seq: Number(rows[0]?.['seq'] ?? 1) - 1, epoch: 0 };
    for (const row of rows) {
      const [seq, epoch] = [Number(row['seq']), Number(row['epoch'])];
      if (seq !== before.seq + 1) wrong.push(`entry ${before.seq + 1} is missing`);
      if (epoch < before.epoch)
        wrong.push(`entry ${seq} of epoch ${epoch} follows ${before.epoch}`);
      const isClaim = String(row['nonce']).startsWith('claim ');
      if (isClaim && claimed.has(epoch)) wrong.push(`epoch ${epoch} was claimed twice`);
      if (isClaim) claimed.add(epoch);
      if (!isClaim && epoch > before.epoch && before.epoch > 0) {
        wrong.push(`entry ${seq} is the first of epoch ${epoch} and is no claim`);
      }
      before = { seq, epoch };
    }
    return wrong;
  } finally {
    db.close();
  }
}
