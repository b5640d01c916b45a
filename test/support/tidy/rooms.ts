/** The import table of `docs/architecture.md`. */

export interface Rooms {
  readonly names: readonly string[];
  /** Whether code of room `from` may import code of room `to`. A room may always import itself. */
  mayImport(from: string, to: string): boolean;
}

/** Doors below `src/` belong to no room; the document names what they may import. */
const DOOR = /`src\/index\.ts` is the door of the package and may import ([^.]*)\./;

/** Reads the table; throws where the document no longer has one of the expected shape. */
export function parseRooms(document: string): Rooms {
  const table = new Map<string, string>();
  for (const line of document.split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim());
    const room = /^`([a-z/]+)`$/.exec(cells[1] ?? '')?.[1];
    if (room !== undefined && cells.length === 5) table.set(room, cells[3] ?? '');
  }
  if (table.size === 0) throw new Error('docs/architecture.md has no table of rooms');
  const door = DOOR.exec(document);
  if (door === null) throw new Error('docs/architecture.md does not say what src/index.ts imports');
  table.set(
    'index',
    [...(door[1] ?? '').matchAll(/`([a-z/]+)`/g)].map((match) => match[1]).join(' '),
  );
  const names = [...table.keys()];
  for (const [room, allowed] of table) {
    for (const word of wordsOf(allowed)) {
      if (!names.includes(word) && word !== 'core') {
        throw new Error(`docs/architecture.md: ${room} may import "${word}", which is no room`);
      }
    }
  }
  return {
    names,
    mayImport(from, to) {
      if (from === to) return true;
      const allowed = table.get(from) ?? '';
      const words = wordsOf(allowed);
      const isNamed = words.includes(to) || (to.startsWith('core/') && words.includes('core'));
      return allowed.startsWith('everything but') ? !isNamed && to !== 'index' : isNamed;
    },
  };
}

function wordsOf(allowed: string): readonly string[] {
  if (allowed === 'nothing') return [];
  return allowed
    .replace(/^everything but /, '')
    .split(/[\s,]+/)
    .filter((word) => word !== '');
}
