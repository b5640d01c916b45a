/** What a disk cache may be. */
export interface DiskCacheOptions {
  readonly folder: string;
  /** Of all processes that use the folder, together. */
  readonly capBytes: number;
}

/** Below this nothing is worth it. */
export const DISK_CACHE_BYTES_MIN: number = 16 * 1024 ** 2;
export const DISK_CACHE_BYTES_DEFAULT: number = 20 * 1024 ** 3;
