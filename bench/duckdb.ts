/**
 * DuckDB's Node package, as far as the benchmark of formats uses it. It is 68 MB of a benchmark's peer, so it is fetched
 * when that runs and is no dependency of the project.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const PACKAGE = '@duckdb/node-api';
const VERSION = '1.5.6-r.1';

export interface DuckConnection {
  run(sql: string): Promise<unknown>;
  stream(sql: string): Promise<DuckResult>;
  closeSync(): void;
}

interface DuckResult {
  deduplicatedColumnNames(): readonly string[];
  fetchChunk(): Promise<DuckChunk | null>;
}

interface DuckChunk {
  readonly rowCount: number;
  readonly columnCount: number;
  /** Its values as they come from C++, without an object for each. */
  getColumnVector(index: number): { readonly itemCount: number };
  getRowObjects(names: readonly string[]): readonly unknown[];
}

interface DuckInstance {
  connect(): Promise<DuckConnection>;
  closeSync(): void;
}

interface DuckPackage {
  readonly DuckDBInstance: { create(path: string): Promise<DuckInstance> };
}

/** An empty database in memory; fetches the package the first time, which takes half a minute. */
export async function openDuckDb(): Promise<DuckInstance> {
  const folder = join(import.meta.dirname, '..', 'build', 'tools', 'duckdb');
  if (!existsSync(join(folder, 'node_modules', PACKAGE))) {
    process.stderr.write(`installing ${PACKAGE} ${VERSION} into build/tools (once)\n`);
    const args = [
      'install',
      '--prefix',
      folder,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--silent',
    ];
    execFileSync('npm', [...args, `${PACKAGE}@${VERSION}`], { stdio: 'inherit' });
  }
  const load = createRequire(join(folder, 'package.json'));
  const { DuckDBInstance } = load(PACKAGE) as DuckPackage;
  return DuckDBInstance.create(':memory:');
}
