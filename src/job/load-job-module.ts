/** Importing a user's job module, with a sentence for everything that can be wrong with it. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Mx8Error } from '../core/base/errors.ts';
import { isJobDefinition, type JobDefinition } from './define-job.ts';
import type { Clock } from '../ports/clock.ts';
import { errorText } from './error-text.ts';
import { MODULE_LOAD_MS_MAX } from './limits.ts';

export interface LoadedJob {
  /** Absolute. */
  readonly path: string;
  /** The job's own name, or the file's name without `.job` and extension. */
  readonly name: string;
  readonly job: JobDefinition;
}

export interface LoadOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** A module may wait for ever at its top level: that is said, instead of waiting with it. */
export async function loadJobModule(file: string, options: LoadOptions): Promise<LoadedJob> {
  const { clock, signal } = options;
  const over = new AbortController();
  const signals = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const late = clock.sleep(MODULE_LOAD_MS_MAX, signals).then(() => {
    const seconds = MODULE_LOAD_MS_MAX / 1000;
    throw invalid(
      resolve(file),
      `it did not finish loading within ${seconds} s; let it wait inside process() instead of at its top level`,
    );
  });
  try {
    return await Promise.race([load(file), late]);
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
}

/** Refuses a path that is no file, for who leaves the loading to others. */
export async function checkJobFile(file: string): Promise<void> {
  await checkFile(resolve(file));
}

/** SHA-256 of the module's own text; what it imports does not count. */
export async function jobFileHash(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

async function load(file: string): Promise<LoadedJob> {
  const path = resolve(file);
  await checkFile(path);
  const module = await importModule(path);
  const exported: unknown = module['default'];
  if (isJobDefinition(exported)) {
    return { path, name: exported.name ?? nameOf(path), job: exported };
  }
  const names = Object.keys(module);
  const got =
    exported !== undefined
      ? 'its default export was not made by defineJob'
      : names.length === 0
        ? 'it exports nothing'
        : `it exports ${names.join(', ')} but no default`;
  throw invalid(path, `${got}; write: export default defineJob({ … })`);
}

async function checkFile(path: string): Promise<void> {
  let isFile: boolean;
  try {
    isFile = (await stat(path)).isFile();
  } catch (error) {
    throw invalid(path, 'there is no such file', error);
  }
  if (!isFile) throw invalid(path, 'it is not a file');
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  try {
    const module: unknown = await import(pathToFileURL(path).href);
    // A module namespace is an object whose values are whatever it exports.
    return module as Record<string, unknown>;
  } catch (error) {
    // What defineJob refused is a sentence already.
    if (error instanceof Mx8Error && error.code === 'job_options_invalid') {
      const message = `job module ${path}: ${error.message}`;
      throw new Mx8Error(error.code, message, { ...error.details, path }, error);
    }
    throw invalid(path, `it does not load: ${errorText(error, path)}${wayOut(error)}`, error);
  }
}

/** What `npm init` writes makes a `.ts` or `.js` file CommonJS, and Node's own words do not say so. */
function wayOut(error: unknown): string {
  const isImport = error instanceof SyntaxError && /outside a module|'export'/.test(error.message);
  return isImport
    ? '; the nearest package.json makes it CommonJS: write "type": "module" there, or name the file .mts or .mjs'
    : '';
}

function invalid(path: string, reason: string, cause?: unknown): Mx8Error {
  const message = `job module ${path} cannot be used: ${reason}`;
  return new Mx8Error('job_module_invalid', message, { path }, cause);
}

function nameOf(path: string): string {
  const name = basename(path, extname(path));
  return name.endsWith('.job') ? name.slice(0, -'.job'.length) : name;
}
