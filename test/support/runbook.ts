/**
 * `docs/runbook.md` as something to execute. A block marked `sh run=NAME` is typed as it is printed; a
 * block marked `text seen=NAME` after it holds lines that must then be seen, in this order. Figures and
 * hashes may differ, the job is called `embed`, and `…` stands for anything, also for lines that are left out.
 */
import { readText } from './tidy/sources.ts';

export interface RunbookBlock {
  readonly name: string;
  /** The heading above it. */
  readonly section: string;
  readonly script: string;
  /** Lines to be seen; empty where the runbook prints none. */
  readonly seen: readonly string[];
}

export interface Runbook {
  readonly sections: ReadonlyMap<string, string>;
  readonly blocks: ReadonlyMap<string, RunbookBlock>;
  /** Blocks of commands that are not executed. */
  readonly unmarked: readonly string[];
}

export function readRunbook(text: string = readText('docs/runbook.md')): Runbook {
  const sections = new Map<string, string>();
  for (const part of text.split(/^## /m).slice(1)) {
    const end = part.indexOf('\n');
    sections.set(part.slice(0, end), part.slice(end + 1));
  }
  const blocks = new Map<string, RunbookBlock>();
  const unmarked: string[] = [];
  for (const [section, body] of sections) {
    const seen = new Map<string, readonly string[]>();
    for (const [, mark = '', content = ''] of fences(body)) {
      const name = /^text seen=([a-z-]+)$/.exec(mark)?.[1];
      if (name !== undefined) seen.set(name, content.split('\n'));
    }
    for (const [, mark = '', script = ''] of fences(body)) {
      const name = /^sh run=([a-z-]+)$/.exec(mark)?.[1];
      if (name === undefined) {
        if (mark.startsWith('sh')) unmarked.push(script);
        continue;
      }
      if (blocks.has(name)) throw new Error(`two blocks of the runbook are called ${name}`);
      blocks.set(name, { name, section, script, seen: seen.get(name) ?? [] });
      seen.delete(name);
    }
    const [left] = seen.keys();
    if (left !== undefined) throw new Error(`what is seen after ${left} has no block to run`);
  }
  return { sections, blocks, unmarked };
}

/** The first line that should be seen and is not, after those before it; null when all are there. */
export function unseenLine(seen: readonly string[], output: string, job: string): string | null {
  const lines = output.split('\n').map(plain);
  let at = 0;
  for (const wanted of seen) {
    if (wanted.trim() === '…') continue;
    const named = plain(wanted.replaceAll(/\bembed\b/g, job));
    const pattern = new RegExp(`^${named.split('…').map(escaped).join('.*')}$`);
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line));
    if (found < 0) return wanted;
    at = found + 1;
  }
  return null;
}

function fences(body: string): IterableIterator<RegExpExecArray> {
  return body.matchAll(/^```([^\n]*)\n([\s\S]*?)\n```$/gm);
}

/** Without what differs from run to run: figures, hashes, how wide a column is. */
function plain(line: string): string {
  return line
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'HASH')
    .replaceAll(/\d[\d,.]*\d|\d/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
