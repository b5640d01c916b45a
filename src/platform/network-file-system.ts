/** Whether a folder lies on a file system that other machines share: locks of SQLite do not hold there. */
import { statfsSync } from 'node:fs';

/** `f_type` of statfs(2) on Linux, as in `linux/magic.h` and the file systems' own headers. */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x00c36400, 'CephFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x19830326, 'BeeGFS'],
]);

/** Its name, or null for a local file system. `typeOf` is for tests. */
export function networkFileSystem(
  folder: string,
  typeOf: (path: string) => number = (path) => statfsSync(path).type,
): string | null {
  // Node gives the number as a signed or an unsigned one, as the platform has it.
  return NETWORK_TYPES.get(typeOf(folder) >>> 0) ?? null;
}
