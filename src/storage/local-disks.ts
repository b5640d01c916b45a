/**
 * Which folders lie on disks of this machine: a read of a file in them may be slow but cannot hang on
 * a network. A link in such a folder may still lead elsewhere; that is the user's own doing.
 */
import { statfs } from 'node:fs';

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

export class LocalDisks {
  /** False while the answer is not known. */
  readonly #folders: Map<string, boolean> = new Map();
  readonly #ask: typeof askWhetherHere;

  constructor(ask: typeof askWhetherHere = askWhetherHere) {
    this.#ask = ask;
  }

  /** Whether all these files are known to be here; those of which that is unknown are asked for. */
  hold(files: readonly string[]): boolean {
    let all = true;
    let folder = '';
    for (const file of files) {
      // Files of one folder follow each other, and each is looked at in every epoch.
      const name = file.lastIndexOf('/') + 1;
      if (name === folder.length && name > 0 && file.startsWith(folder)) continue;
      folder = file.slice(0, name);
      const isHere = this.#folders.get(folder);
      if (isHere === true) continue;
      all = false;
      if (isHere === undefined) this.#learn(folder);
    }
    return all;
  }

  #learn(folder: string): void {
    if (folder === '' || this.#folders.size >= FOLDERS_MAX) return;
    this.#folders.set(folder, false);
    this.#ask(folder, (isHere) => void this.#folders.set(folder, isHere));
  }
}
