/**
 * Which folders lie on disks of this machine: a read of a file in them may be slow but cannot hang on
 * a network. A link in such a folder may still lead elsewhere; that is the user's own doing.
 */
import { statfs, statfsSync } from 'node:fs';

/** ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS, F2FS: their numbers in statfs(2). */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010,
]);
/** Folders that are remembered; files in further ones count as far away. */
const FOLDERS_MAX = 4096;

/** Asks the system, through Node's thread pool. What cannot be asked is not here. */
export function askWhetherHere(path: string, answer: (isHere: boolean) => void): void {
  statfs(path, (error, disk) => answer(error === null && LOCAL_FILE_SYSTEMS.has(disk.type)));
}

/** The same here and now, of a file in a folder that is here: not of a link, that takes microseconds. */
export function isHereNow(path: string): boolean {
  try {
    return LOCAL_FILE_SYSTEMS.has(statfsSync(path).type);
  } catch {
    return false;
  }
}

class Folder {
  /** With the slash at its end. */
  readonly path: string;
  /** False while the answer is not known. */
  isHere: boolean = false;
  /** The one whose file came after a file of this one the last time. */
  next: Folder = this;

  constructor(path: string) {
    this.path = path;
  }
}

export class LocalDisks {
  readonly #folders: Map<string, Folder> = new Map();
  readonly #ask: typeof askWhetherHere;
  /** That of the file before; first one that no file is in. */
  #last: Folder = new Folder('\0/');

  constructor(ask: typeof askWhetherHere = askWhetherHere) {
    this.#ask = ask;
  }

  /** Whether all these files are known to be here; those of which that is unknown are asked for. */
  hold(files: readonly string[]): boolean {
    let all = true;
    let last = this.#last;
    for (const file of files) {
      // Each file is looked at in every epoch: it is in the folder of the one before, or in the one that came
      // after that the last time, which is told sooner than its name is cut off and looked up.
      if (!isIn(file, last.path)) {
        if (isIn(file, last.next.path)) last = last.next;
        else {
          const folder = this.#folderOf(file);
          if (folder === null) {
            all = false;
            continue;
          }
          last.next = folder;
          last = folder;
        }
      }
      all &&= last.isHere;
    }
    this.#last = last;
    return all;
  }

  /** Asks for it where it is new; null where it is not to be remembered. */
  #folderOf(file: string): Folder | null {
    const path = file.slice(0, file.lastIndexOf('/') + 1);
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    if (path === '' || this.#folders.size >= FOLDERS_MAX) return null;
    const folder = new Folder(path);
    this.#folders.set(path, folder);
    this.#ask(path, (isHere) => {
      folder.isHere = isHere;
    });
    return folder;
  }
}

/** Whether the file lies in the folder itself, and not in one within it. */
function isIn(file: string, folder: string): boolean {
  const { length } = folder;
  // Where the names of folders differ they mostly do so at their ends.
  if (file.charCodeAt(length - 2) !== folder.charCodeAt(length - 2)) return false;
  // Several times as fast as `startsWith` for the part of a longer text that a location is.
  return file.slice(0, length) === folder && !file.includes('/', length);
}
