/** The door of the reading library. */
export { load } from './load.ts';
export type { Batch } from './loaded-batch.ts';
export type { Loader, LoaderStats } from './loader.ts';
export type { LoadOptions } from './options.ts';
export type { DataInfo } from './data-info.ts';
