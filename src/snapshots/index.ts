/** The door of this room: pinned data sets. */
export { FsManifestStore } from './fs-manifest-store.ts';
export type { FsManifestStoreOptions } from './fs-manifest-store.ts';
export { LinkFollower } from './link-follower.ts';
export type { FollowedLines } from './link-follower.ts';
export { manifestCacheRetention, manifestCacheRoot, tidyManifestCache } from './manifest-cache.ts';
export type { CachedManifest } from './manifest-cache.ts';
export { openManifestStore } from './open-manifest-store.ts';
export { pack } from './pack.ts';
export type { PackLeft, PackOptions, PackProgress, PackResult } from './pack.ts';
export type { LabelMode } from './pack-plan.ts';
export { UNPACK_DEFAULTS } from './put-samples.ts';
export { classesOf, readClasses } from './read-classes.ts';
export { resolveLink } from './resolve-link.ts';
export type { ResolvedLink, ResolveOptions, ResolveProgress } from './resolve-link.ts';
export type { UnpackBudget } from './scan-shard.ts';
export { verify } from './verify.ts';
export type { Difference } from './difference.ts';
export type { VerifyOptions, VerifyProgress, VerifyResult } from './verify.ts';
