/** Names that code outside some rooms does not use, each with what to use instead. */
import type { Source } from './sources.ts';
import { importsOf, roomOf, treeOf } from './sources.ts';
import { isReference, nameOf, walk } from './syntax.ts';

export interface Ban {
  /** A global, or `object.property`. */
  readonly name: string;
  readonly instead: string;
  /** Rooms that may use it. */
  readonly rooms: readonly string[];
  /** One file elsewhere that may. */
  readonly file?: string;
}

const WORLD = ['platform', 'cli'];
const MAKE_FOLDERS = 'src/storage/make-folders.ts, which ends in /proc too';

export const BANNED_NAMES: readonly Ban[] = [
  { name: 'Date', instead: 'the Clock port', rooms: WORLD },
  { name: 'performance', instead: 'the Clock port', rooms: WORLD },
  { name: 'process.hrtime', instead: 'the Clock port', rooms: WORLD },
  { name: 'setTimeout', instead: 'clock.setTimer or clock.sleep', rooms: [...WORLD, 'page'] },
  { name: 'setInterval', instead: 'clock.setTimer', rooms: WORLD },
  { name: 'AbortSignal.timeout', instead: 'an AbortController and clock.setTimer', rooms: WORLD },
  { name: 'Math.random', instead: 'the Random port', rooms: WORLD },
  { name: 'crypto', instead: 'the Random port, or node:crypto for hashes', rooms: WORLD },
  {
    name: 'process.env',
    instead: 'an option filled in by cli/, or the Variables port for what others define',
    rooms: ['cli'],
    file: 'src/platform/variables.ts',
  },
  { name: 'process.argv', instead: 'an option filled in by cli/', rooms: ['cli'] },
  { name: 'console', instead: 'the EventSink port, or CommandIo in cli/', rooms: [] },
];

export interface ImportBan {
  readonly module: string;
  /** null: the whole module. */
  readonly name: string | null;
  readonly instead: string;
  readonly rooms: readonly string[];
}

/** The same from the other side: modules that bring what is banned above, and ones with one home. */
export const BANNED_IMPORTS: readonly ImportBan[] = [
  { module: 'node:timers', name: 'setTimeout', instead: 'clock.sleep', rooms: WORLD },
  { module: 'node:timers', name: 'setInterval', instead: 'clock.setTimer', rooms: WORLD },
  { module: 'node:timers', name: 'scheduler', instead: 'clock.sleep', rooms: WORLD },
  { module: 'node:perf_hooks', name: null, instead: 'the Clock port', rooms: WORLD },
  { module: 'node:crypto', name: 'randomBytes', instead: 'the Random port', rooms: WORLD },
  { module: 'node:crypto', name: 'randomUUID', instead: 'the Random port', rooms: WORLD },
  { module: 'node:crypto', name: 'randomInt', instead: 'the Random port', rooms: WORLD },
  { module: 'node:fs', name: 'mkdir', instead: MAKE_FOLDERS, rooms: ['storage'] },
  { module: 'node:fs', name: 'mkdirSync', instead: MAKE_FOLDERS, rooms: ['storage', 'log'] },
  { module: 'protobufjs', name: null, instead: 'src/wire', rooms: ['wire', 'log'] },
  { module: 'long', name: null, instead: 'src/wire', rooms: ['wire', 'log'] },
  { module: '@opentelemetry/api', name: null, instead: 'the Tracer port', rooms: ['platform'] },
  { module: 'pino', name: null, instead: 'the EventSink port', rooms: ['platform'] },
  {
    module: 'node:sqlite',
    name: null,
    instead: 'the LogStore port, or the disk cache',
    rooms: ['log', 'storage'],
  },
];

/** What in the source is banned where it stands, as sentences. */
export function bannedUses(source: Source): readonly string[] {
  const room = roomOf(source.path);
  if (room === null) return [];
  const found: string[] = [];
  const bans = BANNED_NAMES.filter((ban) => !ban.rooms.includes(room) && ban.file !== source.path);
  walk(treeOf(source), (node, ancestors) => {
    const isMember = node.type === 'MemberExpression';
    if (!isMember && !isReference(node, ancestors)) return;
    const name = nameOf(node);
    const ban = bans.find((candidate) => candidate.name === name);
    if (ban === undefined) return;
    found.push(`${source.path}:${node.loc.start.line} uses ${ban.name}; use ${ban.instead}`);
  });
  return [...found, ...bannedImports(source, room)];
}

function bannedImports(source: Source, room: string): readonly string[] {
  const imported = importsOf(source);
  return BANNED_IMPORTS.filter(
    (ban) =>
      !ban.rooms.includes(room) &&
      imported.some(
        (specifier) => specifier === ban.module || specifier.startsWith(`${ban.module}/`),
      ) &&
      (ban.name === null || new RegExp(`\\b${ban.name}\\b`).test(source.text)),
  ).map((ban) => {
    const what = ban.name === null ? ban.module : `${ban.name} of ${ban.module}`;
    return `${source.path} imports ${what}; use ${ban.instead}`;
  });
}
