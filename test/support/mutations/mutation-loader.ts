/**
 * Runs the real sources with a known bug put in, without a trace of it in production code. A mutation
 * replaces text in source files while they are loaded; nothing on the disk changes.
 *
 *     const bug: Mutation = {
 *       name: 'answer-before-append',
 *       breaks: 'an answer is given that a crash can take back',
 *       edits: [{ file: 'src/coordinator/writer.ts', find: 'await this.#append(', replace: 'void this.#append(' }],
 *     };
 *     const { Writer } = await importMutated<typeof import('…/writer.ts')>(bug, 'src/coordinator/writer.ts');
 *
 * `importMutated` loads the module, and everything of this repository that it imports, in a second
 * instance that only this mutation has (types, classes and module state are not shared with the plain
 * one, so import whatever takes part through one entry module). A second call with the same mutation
 * gives the same instance; null gives an instance without a bug. Paths are from the repository's root.
 *
 * Each `find` must occur exactly once in its file. `staleEdits` says which do not; keep a test on it, so
 * that a mutation cannot rot when the code changes.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

export interface MutationEdit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutation {
  /** In kebab-case; names it among all that one process loads. */
  readonly name: string;
  /** Which promise the bug breaks, for whoever reads the list. */
  readonly breaks: string;
  readonly edits: readonly MutationEdit[];
}

const ROOT = new URL('../../../', import.meta.url);
const MARK = 'mutation';

const loaded = new Map<string, Mutation>();
let areHooksSet = false;

export async function importMutated<Module>(
  mutation: Mutation | null,
  path: string,
): Promise<Module> {
  const name = mutation?.name ?? 'none';
  if (mutation !== null) {
    const stale = staleEdits([mutation]);
    if (stale.length > 0) throw new Error(stale.join('\n'));
    const known = loaded.get(name);
    if (known !== undefined && known !== mutation) throw new Error(`two mutations named ${name}`);
    loaded.set(name, mutation);
  }
  setHooks();
  const url = new URL(path, ROOT);
  url.searchParams.set(MARK, name);
  return (await import(url.href)) as Module;
}

/** Edits whose text is not there exactly once, as sentences. */
export function staleEdits(mutations: readonly Mutation[]): readonly string[] {
  return mutations.flatMap(({ name, edits }) =>
    edits.flatMap(({ file, find, replace }) => {
      const count = readFileSync(new URL(file, ROOT), 'utf8').split(find).length - 1;
      const place = `mutation ${name}: ${file}`;
      if (find === replace) return [`${place}: replaces a text by itself`];
      return count === 1 ? [] : [`${place} holds ${JSON.stringify(find)} ${count} times, not once`];
    }),
  );
}

function setHooks(): void {
  if (areHooksSet) return;
  areHooksSet = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const name = markOf(context.parentURL);
      if (name === null || !isOurs(resolved.url)) return resolved;
      const url = new URL(resolved.url);
      url.searchParams.set(MARK, name);
      return { ...resolved, url: url.href };
    },
    load(url, context, nextLoad) {
      const result = nextLoad(url, context);
      const edits = loaded.get(markOf(url) ?? '')?.edits ?? [];
      const own = edits.filter(
        ({ file }) => new URL(file, ROOT).pathname === new URL(url).pathname,
      );
      if (own.length === 0 || result.source === undefined || result.source === null) return result;
      const text =
        typeof result.source === 'string' ? result.source : new TextDecoder().decode(result.source);
      const source = own.reduce((all, { find, replace }) => all.replace(find, () => replace), text);
      return { ...result, source };
    },
  });
}

function markOf(url: string | undefined): string | null {
  return url?.startsWith('file:') === true ? new URL(url).searchParams.get(MARK) : null;
}

function isOurs(url: string): boolean {
  return url.startsWith(ROOT.href) && !url.includes('/node_modules/');
}
